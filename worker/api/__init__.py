"""Klaviyo's API as this project speaks it: what an action is, and how it looks on the wire."""
