"""`klaviyo failures`: tasks that failed for good; show, repeat or drop them."""
