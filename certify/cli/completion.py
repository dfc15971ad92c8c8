"""`certify completion`: what a shell needs to complete commands, options, games and files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

from certify.cli.output import DONE

VARIABLE = "_CERTIFY_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> int:
    """Print the completion script of SHELL; put it where the shell looks for such scripts.

    \b
    bash: certify completion bash > ~/.local/share/bash-completion/completions/certify
    fish: certify completion fish > ~/.config/fish/completions/certify.fish
    zsh:  certify completion zsh > _certify, in a folder of $fpath, before compinit
    """
    from certify.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None  # the choice is among click's own
    print(kind(cli, {}, "certify", VARIABLE).source())
    return DONE


def complete_game(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Built-in games by name, then files."""
    from certify.games.builtin import list_builtins

    found = [
        CompletionItem(entry.example, help=entry.description)
        for entry in list_builtins()
        if entry.example.startswith(incomplete)
    ]
    return found or [CompletionItem(incomplete, type="file")]


def complete_file(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever files the shell finds."""
    return [CompletionItem(incomplete, type="file")]
