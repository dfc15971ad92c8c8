"""Teams made of agents from different runs: certified self-play and cross-play (theory, section 8)."""
