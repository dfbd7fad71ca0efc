"""`klaviyo call`: one action, queued for a worker or carried out in this process."""
