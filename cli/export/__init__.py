"""`klaviyo export`: views of the store as files."""
