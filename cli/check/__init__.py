"""`klaviyo check`: whether a worker has everything it needs."""
