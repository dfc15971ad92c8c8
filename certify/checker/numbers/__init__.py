"""Rigorous numbers: fixed point, intervals, linear algebra, definiteness."""
