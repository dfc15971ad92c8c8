"""JaxMARL's environments: what their samplers may give is listed, and nothing else is random."""

from __future__ import annotations

import sys
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from joint_histories import joint_histories

from certify.errors import InputError
from certify.games import from_jaxmarl


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jaxmarl", None)
    with pytest.raises(InputError, match=r"install the extra: pip install 'certify\[jaxmarl\]'"):
        from_jaxmarl("switch_riddle", 2)


@pytest.fixture(scope="module")
def jaxmarl() -> Any:
    return pytest.importorskip("jaxmarl", reason="needs the extra jaxmarl")


class Riddle:
    """The switch riddle written by hand from its rules, for three agents."""

    agents, actions, name = ("agent_0", "agent_1", "agent_2"), (3, 3, 3), "riddle"

    def seen(self, light: bool, room: int) -> tuple:
        return tuple(f"{int(i == room)}.{int(light and i == room)}" for i in range(3))

    def initial(self) -> list:
        return [(F(1, 3), (False, room, (0, 0, 0), 0), self.seen(False, room)) for room in range(3)]

    def outcomes(self, state: tuple, joint_action: tuple) -> list:
        light, room, been, step = state
        been = tuple(int(i == room or b) for i, b in enumerate(been))
        light ^= joint_action[room] == 1
        tells = joint_action[room] == 2
        reward = (1 if all(been) else -1) if tells else 0
        over = tells or step + 1 >= 6
        return [(F(1, 3), reward, (light, r, been, step + 1), self.seen(light, r), over) for r in range(3)]


def test_the_switch_riddle_is_what_its_rules_say(jaxmarl: Any) -> None:
    from certify.games import from_steps

    for horizon, states in ((2, 22), (3, 58)):
        game, own = from_jaxmarl("switch_riddle", horizon), from_steps(Riddle(), horizon)
        assert len(game.states) == states
        if horizon == 2:  # history by history
            assert joint_histories(game) == joint_histories(own)
        # number by number: both are enumerated in one order, only names differ
        assert (game.start, game.transition, game.emission, game.reward) == (
            own.start,
            own.transition,
            own.emission,
            own.reward,
        )


@pytest.mark.slow
def test_the_switch_riddle_of_four_and_five_steps(jaxmarl: Any) -> None:
    # 142 with the states after the fourth step, which are played at the fifth
    assert [len(from_jaxmarl("switch_riddle", h).states) for h in (4, 5)] == [100, 142]


@pytest.mark.slow
def test_overcooked_to_its_first_reward(jaxmarl: Any) -> None:
    sparse = from_jaxmarl("overcooked", 4)
    shaped = from_jaxmarl("overcooked", 4, shaped=True)
    assert len(sparse.states) == len(shaped.states) == 947
    assert not sparse.reward and set(shaped.reward.values()) == {F(3)}
    assert len(shaped.start) == 16  # both look into any direction


def tiny(jaxmarl: Any, step: Any, reset: Any = None) -> Any:
    """An environment of one counter, with steps that a test gives."""
    import jax.numpy as jnp
    from jaxmarl.environments.spaces import Discrete

    class Tiny:
        agents = ("a", "b")

        def action_space(self, agent: str) -> Any:
            return Discrete(2)

        def reset(self, key: Any) -> Any:
            place = jnp.int32(0) if reset is None else reset(key)
            return dict.fromkeys(self.agents, place), {"place": place}

        def step_env(self, key: Any, state: Any, actions: Any) -> Any:
            place, reward = step(key, state["place"], actions)
            seen = dict.fromkeys(self.agents, place)
            done = {"__all__": jnp.bool_(False)}
            return seen, {"place": place}, dict(zip(self.agents, reward, strict=True)), done, {}

    return Tiny()


def test_samplers_are_listed_with_their_chances(jaxmarl: Any) -> None:
    import jax
    import jax.numpy as jnp

    def step(key: Any, place: Any, actions: Any) -> Any:
        first, second = jax.random.split(key)
        fell = jax.random.bernoulli(first, 0.25)
        moved = jax.random.choice(second, jnp.array([1, 2, 5]), p=np.array([0.5, 0.3, 0.2]))
        order = jax.random.permutation(second, 2)
        return place + jnp.where(fell, 0, moved) + 10 * order[0], (1.5, 1.5)

    game = from_jaxmarl(tiny(jaxmarl, step, lambda key: jax.random.randint(key, (), 0, 2)), 2)
    assert [p for *_, p in game.start] == [F(1, 2)] * 2
    row = sorted(p for _, p in game.transition[0, (0, 0)])
    assert row == sorted(p * q for p in (F(1, 4), F(3, 8), F(9, 40), F(3, 20)) for q in (F(1, 2), F(1, 2)))
    assert set(game.reward.values()) == {F(3, 2)}


REFUSED = {
    "uniform": (lambda random, key, x: random.uniform(key), "by uniform, which is not enumerated"),
    "normal": (lambda random, key, x: random.normal(key), "by normal, which is not enumerated"),
    "bounds": (lambda random, key, x: random.randint(key, (), 0, x + 1), "bounds depend on the state"),
    "large": (lambda random, key, x: random.randint(key, (9,), 0, 9), "more than 4,096 outcomes"),
    "hidden": (lambda random, key, x: key[0] % 2, "depend on the random key beyond these samplers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_listed_is_refused(jaxmarl: Any, case: str) -> None:
    import jax
    import jax.numpy as jnp

    sample, message = REFUSED[case]

    def step(key: Any, place: Any, actions: Any) -> Any:
        return place + jnp.int32(sample(jax.random, key, place)), (0.0, 0.0)

    with pytest.raises(InputError, match=message) as refused:
        from_jaxmarl(tiny(jaxmarl, step), 2)
    assert "\n" not in str(refused.value)
    assert jax.random.uniform(jax.random.PRNGKey(0)).shape == ()  # the samplers are back


def test_rewards_that_differ_and_resets_that_hide(jaxmarl: Any) -> None:
    import jax.numpy as jnp

    with pytest.raises(InputError, match="not the same for all agents"):
        from_jaxmarl(tiny(jaxmarl, lambda key, place, actions: (place, (0.0, 1.0))), 2)
    with pytest.raises(InputError, match="a first state that is not listed"):
        from_jaxmarl(
            tiny(jaxmarl, lambda key, place, actions: (place, (0.0, 0.0)), lambda key: jnp.int32(key[0] % 2)), 2
        )
    with pytest.raises(InputError, match="no shaped rewards"):
        from_jaxmarl(tiny(jaxmarl, lambda key, place, actions: (place, (0.0, 0.0))), 2, shaped=True)


def test_names_and_objects_that_are_no_environment(jaxmarl: Any) -> None:
    with pytest.raises(InputError, match="JaxMARL says"):
        from_jaxmarl("no_such_environment", 2)
    with pytest.raises(InputError, match="without wrappers"):
        from_jaxmarl(object(), 2)
