"""`klaviyo demo`: the whole system on this machine, against the sandbox, under load."""
