"""What the package exports: one question and its result a file."""
