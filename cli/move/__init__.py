"""`klaviyo move`: everything that is in one Redis, to another."""
