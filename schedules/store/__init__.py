"""The store: where the nightly syncs keep their copy of each account, and where they stand. SQLite or PostgreSQL."""
