"""The store: the copies of the accounts that the nightly syncs make, and their progress. SQLite or PostgreSQL."""
