"""Symmetry results as JSON objects and as text, in the game's own names (interface, `symmetries`)."""

from __future__ import annotations

from typing import Any

from certify.symmetry.group import SymmetryGroup
from certify.symmetry.maps import map_to_names

_SHOWN = 12  # generators and orbits printed for people; --json has them all


def orbit_names(group: SymmetryGroup) -> dict[str, list]:
    """Orbits by name; actions and observations as [agent, name]."""
    game = group.game
    tables = {"actions": game.actions, "observations": game.observations}
    named: dict[str, list] = {
        "agents": [[game.agents[i] for i in orbit] for orbit in group.orbits["agents"]],
        "states": [[game.states[s] for s in orbit] for orbit in group.orbits["states"]],
    }
    for kind, rows in tables.items():
        named[kind] = [[[game.agents[i], rows[i][k]] for i, k in orbit] for orbit in group.orbits[kind]]
    return named


def group_json(group: SymmetryGroup) -> dict[str, Any]:
    """`certify symmetries --json`."""
    return {
        "status": group.status,
        "order": group.order,
        "complete": group.complete,
        "generators": [map_to_names(group.game, g) for g in group.generators],
        "orbits": orbit_names(group),
        "state_only_order": group.state_only_order,
    }


def group_text(group: SymmetryGroup) -> str:
    """The same for people, long lists cut."""
    game = group.game
    lines = [
        f"{game.name}, horizon {game.horizon}: automorphism group of order "
        f"{'' if group.complete else 'at least '}{group.order} on agents, actions and observations"
    ]
    lines.append(
        "complete: no automorphism was missed (exhausted search at every level)"
        if group.complete
        else "not proved complete: the search limit ran out; raise --max-nodes"
    )
    if group.state_only_order > 1:
        lines.append(f"besides, {group.state_only_order} automorphisms move states only")
    lines.append(f"generators: {len(group.generators)}")
    lines += [f"  {map_text(map_to_names(game, g))}" for g in group.generators[:_SHOWN]]
    lines += _rest(len(group.generators))
    for kind, orbits in orbit_names(group).items():
        moved = [orbit for orbit in orbits if len(orbit) > 1]
        lines.append(f"orbits of {kind}: {len(orbits)}, of which {len(moved)} with more than one member")
        lines += [
            "  " + " ~ ".join(" ".join(m) if isinstance(m, list) else m for m in orbit) for orbit in moved[:_SHOWN]
        ]
        lines += _rest(len(moved))
    return "\n".join(lines)


def _rest(number: int) -> list[str]:
    return [f"  … and {number - _SHOWN} more (--json shows all)"] if number > _SHOWN else []


def map_text(document: dict) -> str:
    """A MAP.json document on one line, long parts cut.

    >>> map_text({"agents": {"agent1": "agent2", "agent2": "agent1"}})
    'agents: agent1 -> agent2, agent2 -> agent1'
    """
    parts = []
    for kind in ("agents", "actions", "observations", "states"):
        moves = document.get(kind, {})
        if kind in ("actions", "observations"):
            moves = {f"{agent} {a}": b for agent, row in moves.items() for a, b in row.items()}
        if moves:
            shown = [f"{a} -> {b}" for a, b in list(moves.items())[:_SHOWN]]
            parts.append(f"{kind}: " + ", ".join(shown) + (", …" if len(moves) > _SHOWN else ""))
    return "; ".join(parts) or "the identity"
