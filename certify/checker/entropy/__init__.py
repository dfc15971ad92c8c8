"""What entropy certificates restate and claim, recomputed."""
