"""Imports: very many rows through Klaviyo's bulk operations."""
