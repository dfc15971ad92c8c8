"""One reader for each file format of games; docs/game-format.md describes them."""
