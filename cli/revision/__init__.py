"""The declarations compared with a revision of Klaviyo's OpenAPI file."""
