"""The plain engine: Python integers alone."""
