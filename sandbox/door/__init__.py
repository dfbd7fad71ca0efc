"""The side door under /_sandbox: what tests and demos read, and the switches that they set."""
