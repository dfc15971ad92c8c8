"""Cross-play: stationary policies enclosed at one temperature, and the return and J of teams whose agents come
from different ones (format, section 9; docs/theory/symmetry.md#cross-play)."""

from fractions import Fraction
from itertools import combinations
from typing import Any

from certify.checker.reading.envelope import Failed, Malformed, array, boolean, envelope, integer, rational, record
from certify.checker.reading.game import game_of
from certify.checker.stationary.facts import Enclosed, Subject, check_within, differ
from certify.checker.verdict import Proof, Run

_MOST_POLICIES = 64
_CHANGES = ("falls", "rises", "is undecided")
Teams = dict[tuple[int, ...], dict[str, tuple[Fraction, Fraction]]]


def check_crossplay(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "crossplay"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("objective", "game", "game_sha256", "claim", "proof"))
    claim = record(certificate["claim"], "claim", ("alpha", "teams"))
    proof = record(certificate["proof"], "proof", ("clustering", "unit_bits", "policies"))
    alpha = rational(claim["alpha"], "claim.alpha")
    if alpha <= 0:
        raise Failed("alpha is not positive", step="claim.alpha")
    game = game_of(certificate)
    subject = Subject(game, boolean(proof["clustering"], "proof.clustering"), proof["unit_bits"], "proof")
    entries = array(proof["policies"], "proof.policies")
    if not 2 <= len(entries) <= _MOST_POLICIES:
        raise Malformed("proof.policies", f"not between 2 and {_MOST_POLICIES} policies")
    policies = []
    for k, data in enumerate(entries):
        policies.append(subject.enclosed(data, (1 / alpha,), f"proof.policies[{k}]"))
        run.tell(f"policy {k + 1} of {len(entries)}")
    teams = _teams(claim["teams"], subject, policies, alpha)
    conclusions = (
        f"at alpha = {alpha}, {_counted(policies)} and {len(teams)} teams of their agents are enclosed",
        f"where one agent is replaced by another run's, {_compared(teams, len(policies), 'J')}",
        _compared(teams, len(policies), "return"),
    )
    return Proof(conclusions, len(policies) + len(teams), game)


def _counted(policies: list[Enclosed]) -> str:
    """How many policies there are, and whether they are shown to differ."""
    pairs = list(combinations(policies, 2))
    shown = sum(differ(*two) for two in pairs)
    if shown == len(pairs):
        return f"{len(policies)} different stationary policies"
    return f"{len(policies)} stationary policies (not shown to differ in {len(pairs) - shown} of {len(pairs)} pairs)"


def _teams(data: Any, subject: Subject, policies: list[Enclosed], alpha: Fraction) -> Teams:
    """{policy number of every agent: {"return": (low, high), "J": (low, high)}}, the ends as claimed."""
    found: Teams = {}
    for number, entry in enumerate(array(data, "claim.teams")):
        where = f"claim.teams[{number}]"
        record(entry, where, ("policies", "return", "J"))
        team = tuple(
            integer(k, f"{where}.policies", 0, len(policies) - 1)
            for k in array(entry["policies"], f"{where}.policies", subject.process.agents)
        )
        if team in found:
            raise Malformed(where, "a team that occurs twice")
        rows = [[policies[team[i]].policy[part][x] for x, (i, _, _) in enumerate(subject.rows)] for part in (0, 1)]
        values = subject.values((rows[0], rows[1]), alpha, alpha)
        found[team] = {
            name: check_within(values[name], entry[name], name, f"{where}.{name}", step=where)
            for name in ("return", "J")
        }
    return found


def _compared(teams: Teams, count: int, name: str) -> str:
    """How the quantity changes where one agent of a self-play team is replaced."""
    changes = dict.fromkeys(_CHANGES, 0)
    for k in range(count):
        for team, values in teams.items():
            own = teams.get((k,) * len(team))
            if own is not None and sum(j != k for j in team) == 1:
                (low, high), (own_low, own_high) = values[name], own[name]
                changes["falls" if high < own_low else "rises" if low > own_high else "is undecided"] += 1
    told = [f"{change} in {times}" for change, times in changes.items() if times]
    return f"{name} {', '.join(told) or 'is not compared'}"
