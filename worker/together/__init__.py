"""Calls that wait and travel in one request of Klaviyo's: each keeps its own task, result and end."""
