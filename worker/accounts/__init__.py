"""Klaviyo's accounts: which there are, with which credentials, scopes and tokens, and which share a budget."""
