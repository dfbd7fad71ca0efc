"""Copying Klaviyo's streams into the store."""
