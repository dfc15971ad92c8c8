"""The command `certify` (interface: commands, exit codes, JSON fields)."""

from certify.cli.main import main

__all__ = ["main"]
