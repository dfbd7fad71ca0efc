"""`klaviyo client`: the actions as one typed module for applications of other code bases."""
