"""`klaviyo jobs`: the asynchronous jobs at Klaviyo."""
