"""Tasks of actions that have failed for good: which are kept, which are alike, and how they are repeated."""
