"""`klaviyo accounts`: the accounts, and the commands that store, authorize, move and remove them."""
