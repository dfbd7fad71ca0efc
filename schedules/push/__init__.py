"""Sending a source to Klaviyo so that only what has changed travels."""
