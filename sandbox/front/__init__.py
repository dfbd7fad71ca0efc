"""The way of a request through the sandbox: who asks, whether it is allowed, and what is broken on purpose."""
