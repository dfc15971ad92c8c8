"""Teams made of agents from different runs: certified self-play and cross-play (docs/theory/symmetry.md#cross-play)."""
