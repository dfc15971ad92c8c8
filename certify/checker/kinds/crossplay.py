"""Verifies cross-play certificates: stationary policies enclosed at one temperature, and the return and J of
teams whose agents come from different ones (format, section 9; docs/theory/symmetry.md#cross-play).

Each policy has a Krawczyk step; each team is evaluated backwards over the enclosures.
"""

from fractions import Fraction

from certify.checker.reading.envelope import Failed, Malformed, array, integer, rational, record, sha256
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.checker.stationary.equations import Equations, policy_over, rows_of, scaled
from certify.checker.stationary.krawczyk import read_box, read_unit, verify_krawczyk

_ENVELOPE = ("format", "version", "kind", "objective", "game", "game_sha256", "claim", "proof")
_MOST_POLICIES = 64
_CHANGES = ("falls", "rises", "is undecided")


def check_crossplay(certificate):
    """(claim, steps) of a certificate of kind "crossplay" that verifies; raises `Malformed` or `Failed`."""
    record(certificate, "certificate", _ENVELOPE, ("consequences", "search"))
    if certificate["objective"] != "visitation":
        raise Malformed("certificate.objective", 'not "visitation"')
    claim = record(certificate["claim"], "claim", ("alpha", "teams"))
    proof = record(certificate["proof"], "proof", ("clustering", "unit_bits", "policies"))
    alpha = rational(claim["alpha"], "claim.alpha")
    if alpha <= 0:
        raise Failed("alpha is not positive", step="claim.alpha")
    if not isinstance(proof["clustering"], bool):
        raise Malformed("proof.clustering", "neither true nor false")
    game = read_game(certificate["game"])
    if sha256(certificate["game"]) != certificate["game_sha256"]:
        raise Failed("it is not the hash of the game", step="game_sha256")
    process = build_process(game, proof["clustering"])
    policies = _policies(proof, process, alpha)
    teams = _teams(claim["teams"], process, policies, alpha)
    text = (
        f"game {game.name}, horizon {game.horizon}: at alpha = {alpha}, {len(policies)} stationary policies and {len(teams)} teams "
        f"of their agents are enclosed; where one agent is replaced by another run's, {_sentence(teams, len(policies))}"
    )
    return text, len(policies) + len(teams)


def _policies(proof, process, alpha):
    """(pi, -log pi) over a box around each stationary policy."""
    unit_bits = read_unit(proof["unit_bits"], "proof.unit_bits")
    entries = array(proof["policies"], "proof.policies")
    if not 2 <= len(entries) <= _MOST_POLICIES:
        raise Malformed("proof.policies", f"not between 2 and {_MOST_POLICIES} policies")
    found = []
    for k, data in enumerate(entries):
        box, inverse = read_box(data, process, unit_bits, f"proof.policies[{k}]")
        if not inverse:
            raise Failed("nobody has a choice", step=f"proof.policies[{k}]")
        try:
            found.append(policy_over(verify_krawczyk(process, [1 / alpha], box, inverse)))
        except Failed as failure:
            raise Failed(failure.why, step=f"proof.policies[{k}]") from None
    return found


def _teams(data, process, policies, alpha):
    """{policy number of every agent: {"return": interval, "J": interval}}, the ends as claimed."""
    rows = rows_of(process)
    found = {}
    for number, entry in enumerate(array(data, "claim.teams")):
        where = f"claim.teams[{number}]"
        record(entry, where, ("policies", "return", "J"))
        team = tuple(
            integer(k, f"{where}.policies", 0, len(policies) - 1)
            for k in array(entry["policies"], f"{where}.policies", process.agents)
        )
        if team in found:
            raise Malformed(where, "a team that occurs twice")
        mixed = tuple([policies[team[i]][part][x] for x, (i, _, _) in enumerate(rows)] for part in range(2))
        reward, value = _values(process, mixed, alpha)
        found[team] = {}
        for name, enclosure in (("return", reward), ("J", value)):
            low, high = (rational(end, f"{where}.{name}") for end in array(entry[name], f"{where}.{name}", 2))
            if not enclosure.within(low, high):
                raise Failed(f"the {name} is not shown to lie in its enclosure", step=where)
            found[team][name] = low, high
    return found


def _values(process, policy, alpha):
    """Return and J of the policies in the enclosures."""
    reference = [0] * len(policy[0])
    reward = Equations(process, reference, policy, Fraction(1), slopes=False, entropies=False).value()
    entropy = Equations(process, reference, policy, Fraction(0), slopes=False).value()
    return reward, reward + scaled(entropy, alpha)


def _sentence(teams, count):
    """How return and J change where one agent of a self-play team is replaced."""
    parts = []
    for name in ("J", "return"):
        changes = dict.fromkeys(_CHANGES, 0)
        for k in range(count):
            for team, values in teams.items():
                own = teams.get((k,) * len(team))
                if own is not None and sum(j != k for j in team) == 1:
                    (low, high), (own_low, own_high) = values[name], own[name]
                    changes["falls" if high < own_low else "rises" if low > own_high else "is undecided"] += 1
        told = [f"{change} in {times}" for change, times in changes.items() if times]
        parts.append(f"{name} {', '.join(told) or 'is not compared'}")
    return "; ".join(parts)
