"""Facts about stationary policies, in interval arithmetic."""
