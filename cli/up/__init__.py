"""`klaviyo up`, and how it and the demo start and stop processes."""
