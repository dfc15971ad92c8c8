"""Covers: the walk along the nodes and what has to hold of them."""
