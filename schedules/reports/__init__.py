"""Copying the results of campaigns and flows into the store, day by day."""
