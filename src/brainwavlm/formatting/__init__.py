"""Numbers and small HTML, for people."""
