"""Calls that wait and travel in one request; each keeps its own task, result and end."""
