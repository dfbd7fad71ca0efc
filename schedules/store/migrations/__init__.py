"""How the store's tables came to be what they are, step by step. `schedules.store.migrate` takes the steps."""
