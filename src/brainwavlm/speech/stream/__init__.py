"""A story read in one pass."""
