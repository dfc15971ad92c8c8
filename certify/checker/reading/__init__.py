"""The only readers of anything: envelope, game, process, maps."""
