"""What a sync would take, estimated before anything runs."""
