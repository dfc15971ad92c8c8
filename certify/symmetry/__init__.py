"""Symmetries: maps of a game decided, the whole group found and proved complete (docs/theory/symmetry.md)."""

from certify.symmetry.compare import differences, is_symmetry
from certify.symmetry.group import SymmetryGroup, symmetries
from certify.symmetry.maps import GameMap, read_map

__all__ = ["GameMap", "SymmetryGroup", "differences", "is_symmetry", "read_map", "symmetries"]
