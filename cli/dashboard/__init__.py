"""The Klaviyo pages inside Flower: the tables of `klaviyo limits`, `jobs`, `imports`, `sync` and `schedules`, live."""
