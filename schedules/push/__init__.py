"""Sending a source to Klaviyo, but only what has changed since it was last sent."""
