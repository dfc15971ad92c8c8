"""Symmetry certificates in words (docs/symmetry.md)."""

from __future__ import annotations

from typing import Any

from certify.certificates.markup import Sentence, counted, say
from certify.certificates.reading_game import subject, whole
from certify.certificates.statement import Item, Statement, items

_MOST = 60  # orbits or generators on a page
_MOVES = 12  # of a generator


def symmetry(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "symmetry" states; raises `KeyError` and the like for a damaged one."""
    game, group = document["game"], document["symmetry"]
    order, states = (whole(group[key], key) for key in ("order", "state_only_order"))
    start = "The automorphism group of the game has order" if group["complete"] is True else "The game has at least"
    end = (
        " on agents, actions and observations."
        if group["complete"] is True
        else " automorphisms on agents, actions and observations."
    )
    claims = [Item(say(f"{start} ${order}$" + end), _orbits(game, group["orbits"]))]
    if states > 1:
        claims.append(Item(say(f"${states}$ automorphisms move states only.")))
    listed = [Item(generator(game, g)) for g in group["generators"][:_MOST]]
    how = (
        "the search that found them all is exhausted, level by level of a stabiliser chain"
        if group["complete"] is True
        else "that there are no more is not proved"
    )
    return Statement(
        "symmetry",
        say("Symmetry certificate for the game {}", game["name"]),
        say(f"Consider the Dec-POMDP {{}} with {len(game['agents'])} agents.", game["name"]),
        subject(document),
        tuple(claims),
        items(say("A stationary policy that is unique is fixed by every one of them.")) if order > 1 else (),
        (Item(say(f"{counted(len(group['generators']), 'generator')}, verified exactly; {how}."),
              (Item(say("The generators"), tuple(listed), folded=True),) if listed else ()),),
        items(say("The game is exactly the one restated inside the certificate, on its reachable states.")),
        items(say("Almost-symmetries; symmetries of parts of the game.")),
        game=game,
    )  # fmt: skip


def _orbits(game: dict[str, Any], orbits: dict[str, Any]) -> tuple[Item, ...]:
    found = []
    agents: list[list[tuple[Any, ...]]] = [
        [(name,) for name in _names(game["agents"], orbit)] for orbit in orbits["agents"]
    ]
    groups = [("agents", agents)]
    for kind in ("actions", "observations"):
        groups.append((kind, [[(game["agents"][i], game[kind][i][k]) for i, k in orbit] for orbit in orbits[kind]]))
    for kind, listed in groups:
        moved = [orbit for orbit in listed if len(orbit) > 1]
        rows = [_orbit(orbit) for orbit in moved[:_MOST]]
        start = (
            f"{kind}: {len(moved)} orbit{'s' * (len(moved) != 1)} of more than one"
            if moved
            else f"{kind}: none is exchanged with another"
        )
        found.append(Item(say(start), items(*rows)))
    return tuple(found)


def _names(names: list[Any], indices: list[Any]) -> list[Any]:
    return [names[whole(i, "orbit")] for i in indices]


def _orbit(orbit: list[tuple[Any, ...]]) -> Sentence:
    shown = orbit[:12]
    more = f" and {len(orbit) - 12} more" if len(orbit) > 12 else ""
    return say(
        ", ".join(" of ".join(["{}"] * len(member)) for member in shown) + more, *(n for m in shown for n in m[::-1])
    )


def generator(game: dict[str, Any], g: dict[str, Any]) -> Sentence:
    """What an automorphism moves to what, by name."""
    names, moves = game["agents"], []
    for i, to in enumerate(g["agents"]):
        if i != to:
            moves.append(say("{=} to {=}", names[i], names[to]))
    for kind in ("actions", "observations"):
        for i, row in enumerate(g[kind]):
            j = g["agents"][i]
            for a, b in enumerate(row):
                if (i, a) != (j, b) and (i == j or game[kind][i][a] != game[kind][j][b]):
                    moves.append(say("{=}'s {} to {=}'s {}", names[i], game[kind][i][a], names[j], game[kind][j][b]))
    if not moves:
        return say("moves nothing but states")
    found = moves[0]
    for move in moves[1:_MOVES]:
        found = found + say(", ") + move
    return found + say(f" and {len(moves) - _MOVES} more moves") if len(moves) > _MOVES else found
