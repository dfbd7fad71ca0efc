"""`klaviyo import`, `imports` and `reimport`: files of rows, and what became of them."""
