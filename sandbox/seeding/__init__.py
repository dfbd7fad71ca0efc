"""Records that exist from the start, are sown in any number, or change while they are read."""
