"""What runs on a schedule: the entries, beat, and the syncs and pushes that they start."""
