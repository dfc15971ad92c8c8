"""Stationary policies: equations, branches, existence, multiplicity, greedy policies."""
