"""Benchmark Dec-POMDPs written from their published definitions: Dec-Tiger, recycling robots and
the broadcast channel.  Tests compare them with the benchmark files, entry by entry.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

from certify.games.model import Game, JointAction, JointObservation
from certify.games.oneshot import agent_names


def _two_agents(
    name: str,
    names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    start: dict[int, Fraction],
    transition: Callable[[int, JointAction, int], Fraction],
    emission: Callable[[JointAction, int, JointObservation], Fraction],
    reward: Callable[[int, JointAction], Fraction | int],
    discount: Fraction,
) -> Game:
    """A game of two agents, tabulated from functions; `names`: of states, of actions and of observations,
    which are the same for both."""
    states, actions, observations = names
    joint_actions = list(itertools.product(range(len(actions)), repeat=2))
    joint_observations = list(itertools.product(range(len(observations)), repeat=2))
    every = range(len(states))
    return Game(
        name=name,
        agents=agent_names(2),
        states=states,
        actions=(actions,) * 2,
        observations=(observations,) * 2,
        start=tuple((s, (), p) for s, p in start.items()),
        transition={
            (s, a): tuple((s2, p) for s2 in every if (p := transition(s, a, s2))) for s in every for a in joint_actions
        },
        emission={
            (a, s2): tuple((o, p) for o in joint_observations if (p := emission(a, s2, o)))
            for s2 in every
            for a in joint_actions
        },
        reward={(s, a): Fraction(r) for s in every for a in joint_actions if (r := reward(s, a))},
        horizon=2,
        discount=discount,
        source=name,
    )


def dec_tiger() -> Game:
    """Dec-Tiger (Nair et al., IJCAI 2003), undiscounted; horizon 2 unless told otherwise.

    >>> game = dec_tiger()
    >>> game.states, game.reward[0, (0, 0)]
    (('tiger-left', 'tiger-right'), Fraction(-2, 1))
    """
    listen = 0  # 1 and 2 open the left and the right door; the tiger is behind door s + 1

    def transition(s: int, a: JointAction, s2: int) -> Fraction:
        return Fraction(s == s2) if a == (listen, listen) else Fraction(1, 2)

    def emission(a: JointAction, s2: int, o: JointObservation) -> Fraction:
        if a != (listen, listen):
            return Fraction(1, 4)
        heard = [Fraction(17, 20) if ear == s2 else Fraction(3, 20) for ear in o]
        return heard[0] * heard[1]

    def reward(s: int, a: JointAction) -> int:
        if a == (listen, listen):
            return -2
        bitten = s + 1 in a
        if listen in a:
            return -101 if bitten else 9
        if a[0] != a[1]:
            return -100
        return -50 if bitten else 20

    return _two_agents(
        "dectiger",
        (("tiger-left", "tiger-right"), ("listen", "open-left", "open-right"), ("hear-left", "hear-right")),
        {0: Fraction(1, 2), 1: Fraction(1, 2)},
        transition,
        emission,
        reward,
        Fraction(1),
    )


def recycling() -> Game:
    """Recycling robots (Amato, Bernstein and Zilberstein, UAI 2007), discount 9/10.

    Action names are those of the benchmark file, whose first action recharges and whose last
    one searches for big items: its names are in the reverse order of its numbers.

    >>> recycling().reward[3, (1, 1)]
    Fraction(-36, 25)
    """
    recharge, little, big = range(3)
    # probability that the battery is high after the step, by action, from high and from low
    high = {
        recharge: (Fraction(1), Fraction(1)),
        little: (Fraction(7, 10), Fraction(1, 5)),
        big: (Fraction(1, 2), Fraction(3, 10)),
    }

    def battery(s: int) -> tuple[int, int]:
        return divmod(s, 2)  # 0 high, 1 low; first robot most significant

    def transition(s: int, a: JointAction, s2: int) -> Fraction:
        p = Fraction(1)
        for level, action, after in zip(battery(s), a, battery(s2), strict=True):
            p *= high[action][level] if after == 0 else 1 - high[action][level]
        return p

    def emission(a: JointAction, s2: int, o: JointObservation) -> Fraction:
        return Fraction(o == battery(s2))

    def reward(s: int, a: JointAction) -> Fraction:
        # a robot that searches on a low battery runs empty with the probability with which it ends
        # high (it is carried home): -10 each, and nothing is collected that step
        empty = [high[x][1] if level and x != recharge else Fraction(0) for level, x in zip(battery(s), a, strict=True)]
        collected = 2 * sum(x == little for x in a) + 5 * (a == (big, big))
        return (1 - empty[0]) * (1 - empty[1]) * collected - 10 * sum(empty)

    return _two_agents(
        "recycling",
        (tuple("0123"), ("searchbig", "searchlittle", "waitandrecharge"), ("0", "1")),
        {0: Fraction(1)},
        transition,
        emission,
        reward,
        Fraction(9, 10),
    )


def broadcast_channel() -> Game:
    """Broadcast channel (Ooi and Wornell, CDC 1996; Hansen et al., AAAI 2004), undiscounted.

    >>> broadcast_channel().start
    ((3, (), Fraction(1, 1)),)
    """
    send, wait = range(2)
    arrival = (Fraction(9, 10), Fraction(1, 10))

    def buffers(s: int) -> tuple[int, int]:
        return divmod(s, 2)  # 1: this node has a message

    def transition(s: int, a: JointAction, s2: int) -> Fraction:
        p = Fraction(1)
        for i, (full, action, after) in enumerate(zip(buffers(s), a, buffers(s2), strict=True)):
            filled = Fraction(1) if full and action == wait else arrival[i]
            p *= filled if after else 1 - filled
        return p

    def emission(a: JointAction, s2: int, o: JointObservation) -> Fraction:
        collision = Fraction(9, 10) if a == (send, send) else Fraction(1, 10)
        heard = [collision if signal == 0 else 1 - collision for signal in o]
        return heard[0] * heard[1]

    def reward(s: int, a: JointAction) -> int:
        return sum(buffers(s)[i] for i in (0, 1) if a[i] == send) if a != (send, send) else 0

    return _two_agents(
        "broadcast-channel",
        (("S00", "S01", "S10", "S11"), ("send", "wait"), ("Collision", "No-Collision")),
        {3: Fraction(1)},
        transition,
        emission,
        reward,
        Fraction(1),
    )
