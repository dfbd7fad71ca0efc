"""`klaviyo actions`: the actions and their parameters, from the declarations."""
