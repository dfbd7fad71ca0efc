"""The side door under /_sandbox: what tests and demos look at, and the switches that they turn."""
