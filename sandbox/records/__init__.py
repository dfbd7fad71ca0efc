"""What the sandbox remembers, and the rules that its records keep."""
