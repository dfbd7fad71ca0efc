"""Records that are there from the start, sown in any number, or changing while somebody reads."""
