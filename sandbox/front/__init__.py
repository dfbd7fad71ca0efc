"""The path of a request through the sandbox: who is calling, what is allowed, and what is broken on purpose."""
