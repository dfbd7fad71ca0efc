"""Copying what Klaviyo has into the store."""
