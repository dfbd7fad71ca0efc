"""When things run by themselves."""
