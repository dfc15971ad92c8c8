"""Symmetry results as JSON objects and as text, in the game's own names (interface, `symmetries`)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.exact import decimal_text, rational_text
from certify.symmetry.candidate import CandidateVerdict
from certify.symmetry.compare import describe, sentence
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.histories import EquivarianceVerdict, FixedSubspace
from certify.symmetry.maps import map_to_names
from certify.symmetry.near import NearReport

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
    lines = [f"{game.name}: automorphism group of order {'' if group.complete else 'at least '}{group.order} "
             f"on agents, actions and observations"]
    lines.append("complete: no automorphism was missed (exhausted search at every level)" if group.complete
                 else "not proved complete: the search limit ran out; raise --max-nodes")
    if group.state_only_order > 1:
        lines.append(f"besides, {group.state_only_order} automorphisms move states only")
    lines.append(f"generators: {len(group.generators)}")
    lines += [f"  {_map_text(map_to_names(game, g))}" for g in group.generators[:_SHOWN]]
    lines += _rest(len(group.generators))
    for kind, orbits in orbit_names(group).items():
        moved = [orbit for orbit in orbits if len(orbit) > 1]
        lines.append(f"orbits of {kind}: {len(orbits)}, of which {len(moved)} with more than one member")
        lines += ["  " + " ~ ".join(" ".join(m) if isinstance(m, list) else m for m in orbit)
                  for orbit in moved[:_SHOWN]]
        lines += _rest(len(moved))
    return "\n".join(lines)


def _rest(number: int) -> list[str]:
    return [f"  … and {number - _SHOWN} more (--json shows all)"] if number > _SHOWN else []


def _map_text(document: dict) -> str:
    parts = []
    for kind in ("agents", "actions", "observations", "states"):
        moves = document.get(kind, {})
        if kind in ("actions", "observations"):
            moves = {f"{agent} {a}": b for agent, row in moves.items() for a, b in row.items()}
        if moves:
            shown = [f"{a} -> {b}" for a, b in list(moves.items())[:_SHOWN]]
            parts.append(f"{kind}: " + ", ".join(shown) + (", …" if len(moves) > _SHOWN else ""))
    return "; ".join(parts) or "the identity"


def candidate_json(verdict: CandidateVerdict) -> dict[str, Any]:
    """`certify symmetries --candidate --json`."""
    return {
        "status": verdict.status,
        "symmetry": {"proved": True, "refuted": False}.get(verdict.status),
        "witness": None if verdict.witness is None else describe(verdict.game, verdict.witness),
        "parameters": verdict.parameters,
        "reason": verdict.reason,
        "z3": verdict.solver,
        "exact": verdict.exact,
        "seconds": round(verdict.seconds, 3),
    }


def candidate_text(verdict: CandidateVerdict) -> str:
    """The same for people."""
    if verdict.status == "proved":
        return f"a symmetry (z3: {verdict.solver}; exact comparison: {verdict.exact or 'not for parameters'})"
    if verdict.status == "undecided":
        return f"undecided: {verdict.reason}"
    text = f"not a symmetry: {sentence(verdict.game, verdict.witness)}"
    if verdict.parameters:
        text += " at " + ", ".join(f"{name} = {value}" for name, value in verdict.parameters.items())
    return text


def policy_json(verdict: EquivarianceVerdict, space: FixedSubspace) -> dict[str, Any]:
    """`certify symmetries --policy --json`: whether g·pi = pi, and how many parameters remain."""
    values = None if verdict.values is None else [[rational_text(v) for v in ends] for ends in verdict.values]
    return {"status": verdict.status, "equivariant": {"proved": True, "refuted": False}.get(verdict.status),
            "generator": verdict.generator, "aoh": verdict.aoh, "action": verdict.action, "values": values,
            "equivariant_parameters": space.parameters, "policy_parameters": space.all_parameters}


def policy_text(verdict: EquivarianceVerdict, space: FixedSubspace) -> str:
    """The same for people."""
    lines = {"proved": "the policy is equivariant",
             "undecided": "undecided: the enclosures of the policy overlap with those of its images"}.get(verdict.status)
    if lines is None:
        (low, high), (other_low, other_high) = verdict.values
        lines = (f"not equivariant: {verdict.aoh} plays {verdict.action} with {_range(low, high)}, its image under "
                 f"generator {verdict.generator} with {_range(other_low, other_high)}")
    return f"{lines}\nan equivariant policy has {space.parameters} free parameters of {space.all_parameters}"


def _range(lower: Fraction, upper: Fraction) -> str:
    return f"[{decimal_text(lower, 6, up=False)}, {decimal_text(upper, 6, up=True)}]"


def near_json(group: SymmetryGroup, report: NearReport) -> dict[str, Any]:
    """`certify symmetries --near --json`: what is added under "near"."""
    return {
        "max_entries": report.max_entries,
        "exhausted": report.exhausted,
        "found": [{"map": map_to_names(group.game, near.mapping),
                   "failing_entries": len(near.differences),
                   "differences": [describe(group.game, d) for d in near.differences]} for near in report.found],
    }


def near_text(group: SymmetryGroup, report: NearReport) -> str:
    """The same for people: each map, and the entries with what they would have to be."""
    lines = [f"near-symmetries with at most {report.max_entries} failing entries: {len(report.found)}"
             + ("" if report.exhausted else " (the search limit ran out: there may be more)")]
    for number, near in enumerate(report.found, 1):
        lines.append(f"{number}. {_map_text(map_to_names(group.game, near.mapping))}")
        rows = {(d.table, d.key[0][:1], d.key[1]) for d in near.differences}
        lines.append(f"   fails in {len(near.differences)} entries of {len(rows)} rows:")
        lines += [f"   {sentence(group.game, d)}" for d in near.differences]
    if report.found:
        lines.append("each pair would have to hold one number; symmetry cannot say which of the two is the wrong one")
    return "\n".join(lines)
