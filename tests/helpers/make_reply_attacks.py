"""Attacks on the step rule with replies (docs/certificate-format.md, 4.4): covers by the tests' own prover under rules
that are wrong on purpose (`broken_replies`), which both engines accept under that rule and must refuse.

Run `python tests/helpers/make_reply_attacks.py` to write these files alone and put their places into `expected.json`;
`make_attacks.py` writes them together with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from broken_replies import broken
from make_attacks import Attacks, stands
from prover import UNIT, Prover

from certify.checker import check_certificate
from certify.checker.cover.obligations import StepClaim
from certify.checker.cover.tree import Step, pairs
from certify.checker.reading.envelope import sha256
from certify.checker.reading.game import game_of
from certify.checker.reading.process import build_process
from certify.games.canonical import game_to_json
from certify.games.model import FIRST, Game, check_game


class Attack(NamedTuple):
    """A false rule, the game that it is tried on, and the claim that it proves there with so many sweeps a node."""

    rule: str
    game: Game
    alpha_star: Fraction
    sweeps: int = 3
    splits: int = 2
    objective: str = "visitation"


class PlayedFor(Prover):
    """The prover for an objective by its name in certificates, by whatever rule the plain engine follows."""

    def __init__(self, game: Game, objective: str) -> None:
        super().__init__(game_to_json(game))
        named = {"game": self.game_json, "game_sha256": sha256(self.game_json), "objective": objective}
        self.process, self.objective = build_process(game_of(named)), objective
        self.engine.begin(self.process)

    def shown(self, box, betas, agent, depth, k, pair, m):
        count = self.process.actions[depth][agent]
        rows = [[None] * (count * (count - 1)) for _ in range(self.process.classes[depth][agent])]
        rows[k][pairs(count).index(pair)] = m
        step = Step(agent, depth, tuple(map(tuple, rows)))
        return self.engine.verify([StepClaim(box, betas, step, UNIT)]) is None

    def certificate(self, alpha_star, nodes, concavity=()):
        return {**super().certificate(alpha_star, nodes, concavity), "objective": self.objective}


def levers(
    discount: Fraction = Fraction(1),
    weights: Sequence[Fraction] | None = None,
    legal: bool = False,
    third: bool = False,
) -> Game:
    """Three levers, one after the other: the first agent's is the state in which the last one chooses, unseen; a match
    pays 1.  Stationary policies are those of one step but for the discount.

    legal : of four actions one is illegal, and whoever does not choose has one.
    third : an agent between them has two actions at the second step, of which one takes a fiftieth from what is paid.
    """
    agents, last, F = 2 + third, 1 + third, Fraction
    idle, count, none, every = (0,) * (agents - 1), 4 if legal else 3, (0,), (0, 1, 2)
    rows = {
        (i, o): tuple((a, F(1, 3)) for a in every) if (i == last) == (o == 0) else ((0, F(1)),)
        for i in range(agents)
        for o in (FIRST, 0)
    }
    between = [(none, (0, 1))] * third
    return check_game(
        Game(
            name="levers one after the other",
            agents=tuple(f"agent{i + 1}" for i in range(agents)),
            states=("begin", *(f"lever{a}" for a in every)),
            actions=(tuple(f"l{a}" for a in range(count)),) * agents,
            observations=(("o",),) * agents,
            start=((0, (), F(1)),),
            transition={(0, (a, *idle)): ((1 + a, F(1)),) for a in every},
            emission={((a, *idle), 1 + a): (((0,) * agents, F(1)),) for a in every},
            reward={(1 + a, (0, *[b] * third, a)): 1 - F(b, 50) for a in every for b in range(1 + third)},
            horizon=2,
            discount=discount,
            weights=tuple(weights or (F(1),) * agents),
            available=None if legal else ((every, none), *between, (none, every)),
            reference=rows if legal else {},
        )
    )


def alone(name: str, rewards: Sequence[Fraction], chances: Sequence[Sequence[Fraction]]) -> Game:
    """One agent of two steps and two actions: the first pays `rewards[a]` and leads to state k, which is seen, with
    `chances[a][k]`; there its first action pays `rewards[2 + k]`."""
    seen = range(len(chances[0]))
    return check_game(
        Game(
            name=name,
            agents=("agent",),
            states=("begin", *(f"s{k}" for k in seen)),
            actions=(("a0", "a1"),),
            observations=(tuple(f"o{k}" for k in seen),),
            start=((0, (), Fraction(1)),),
            transition={(0, (a,)): tuple((1 + k, p) for k, p in enumerate(row) if p) for a, row in enumerate(chances)},
            emission={((a,), 1 + k): (((k,), Fraction(1)),) for a, row in enumerate(chances) for k in seen if row[k]},
            reward={
                **{(0, (a,)): r for a, r in enumerate(rewards[:2]) if r},
                **{(1 + k, (0,)): r for k, r in enumerate(rewards[2:]) if r},
            },
            horizon=2,
        )
    )


def attacks_by_name() -> dict[str, Attack]:
    """The attacks; all claims but that of `at_one_end_of_the_interval` are false."""
    F = Fraction
    sure = (F(1), F(0)), (F(0), F(1))
    common = (F(9, 10), F(1, 10), F(0)), (F(9, 10), F(0), F(1, 10))
    others = "with_the_others_at_their_centres"
    return {
        "at_one_end_of_the_interval": Attack(
            "at_one_end_of_the_interval",
            alone("two ways to one state", (F(3, 50), F(0), F(1, 4), F(0), F(1)), common),
            F(1, 8),
        ),
        others: Attack(others, levers(), F(7, 20), 8),
        f"{others}_discounted": Attack(others, levers(discount=F(3, 4), weights=(F(1), F(1, 2))), F(43, 100), 10),
        f"{others}_under_kl": Attack(others, levers(legal=True), F(7, 20), 8, objective="kl"),
        "with_one_of_the_others_at_its_centres": Attack(
            "with_one_of_the_others_at_its_centres", levers(third=True), F(7, 20), 14
        ),
        "under_the_local_bonus": Attack(
            "under_the_local_bonus",
            alone("to stay or to go", (F(37, 50), F(0), F(0), F(1)), sure),
            F(1, 8),
            splits=5,
            objective="local",
        ),
        "after_the_first_action_too": Attack(
            "after_the_first_action_too", alone("to stay or to go", (F(3, 4), F(0), F(0), F(1)), sure), F(1, 8)
        ),
    }


def invalid_replies(attacks: Attacks) -> None:
    """Every cover that a false rule proves, as its file stands or anew, refused where that rule is first used."""
    for name, attack in attacks_by_name().items():
        certificate = stands("invalid", f"replies_{name}")
        if certificate is None:
            with broken(attack.rule):
                prover = PlayedFor(attack.game, attack.objective)
                nodes = prover.cover(attack.alpha_star, attack.sweeps, attack.splits)
            certificate = prover.certificate(attack.alpha_star, nodes)
        place = check_certificate(certificate, engine="stdlib").failed_step
        attacks.invalid[f"replies_{name}"] = certificate, {key: place[key] for key in ("node", "step")}


def main() -> None:
    attacks = Attacks({})
    invalid_replies(attacks)
    attacks.write("replies_")


if __name__ == "__main__":
    main()
