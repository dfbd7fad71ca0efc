"""`klaviyo client`: the actions as one typed module for applications in other code bases."""
