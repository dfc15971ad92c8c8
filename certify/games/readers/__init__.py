"""One reader for each file format of games; docs/game-format.md and docs/games.md describe them."""
