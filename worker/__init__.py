"""The engine: what carries an action to Klaviyo and back. It knows no operation by name."""
