"""A run folder, and nothing of science."""
