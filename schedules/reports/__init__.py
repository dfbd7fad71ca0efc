"""The figures of campaigns and flows, day by day, into the store."""
