"""The fast engine: float64 with proved error bounds."""
