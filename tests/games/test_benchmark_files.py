"""The benchmark `.dpomdp` files, where they lie beside the project."""

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from optimum_two_steps import optimum_two_steps

from certify.errors import InputError
from certify.games import game_from_json, game_sha256, game_to_json, load, restrict_to_reachable
from certify.games.tree import unroll

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "games"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmark files are not beside the project")

# states, reachable states, actions and observations per agent, discount
SIZES = {
    "2generals": (2, 2, 2, 2, "1"),
    "Grid3x3corners": (81, 81, 5, 9, "1"),
    "GridSmall": (16, 16, 5, 2, "0.9"),
    "Mars": (256, 240, 6, 8, "1"),
    "boxPushingUAI07": (100, 100, 4, 5, "1"),
    "broadcastChannel": (4, 4, 2, 2, "1"),
    "dectiger": (2, 2, 3, 2, "1"),
    "fireFighting_2_3_3": (432, 206, 3, 2, "1"),
    "recycling": (4, 4, 3, 2, "0.9"),
    "relay4": (4, 4, 3, 3, "0.95"),
}
# optimal deterministic value at horizon 2, from the toolbox's own database
OPTIMA = [
    ("dectiger", "1", -4),
    ("2generals", "1", -2),
    ("recycling", "1", 7),
    ("recycling", "0.9", 6.8),
    ("broadcastChannel", "1", 2),
    ("relay4", "0.95", -1.95),
    ("boxPushingUAI07", "1", 17.6),
    ("GridSmall", "1", 0.91),
    ("GridSmall", "0.9", 0.856),
]


def read(name, **options):
    return load(FOLDER / f"{name}.dpomdp", **{"horizon": 2} | options)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_rows_and_time(name):
    begun = time.process_time()
    game = read(name)
    assert time.process_time() - begun < 20
    states, reachable, actions, observations, discount = SIZES[name]
    assert game.agents == ("agent1", "agent2")
    assert len(game.states) == states
    assert [len(names) for names in game.actions] == [actions] * 2
    assert [len(names) for names in game.observations] == [observations] * 2
    assert game.discount == Fraction(discount)
    kept = restrict_to_reachable(game)
    assert len(kept.states) == reachable
    assert len(kept.transition) == reachable * actions**2
    assert {sum(p for _, p in row) for row in kept.transition.values()} == {1}
    assert {sum(p for _, p in row) for row in kept.emission.values()} == {1}
    assert kept.emission.keys() == {(a, s2) for (_, a), row in kept.transition.items() for s2, _ in row}


@pytest.mark.parametrize("name", SIZES)
def test_canonical_form_gives_the_game_back(name):
    kept = restrict_to_reachable(read(name))
    again = game_from_json(game_to_json(kept), "here")
    assert again == kept
    assert game_sha256(again) == game_sha256(kept)


@pytest.mark.parametrize(("name", "discount", "value"), OPTIMA)
def test_known_optimal_values(name, discount, value):
    assert optimum_two_steps(read(name, discount=discount)) == pytest.approx(value, abs=1e-9)


def test_a_changed_reward_changes_the_optimum():
    """The oracle can fail: Dec-Tiger with listening at -1 is worth -2."""
    game = read("dectiger")
    cheaper = replace(game, reward=game.reward | {(s, (0, 0)): Fraction(-1) for s in (0, 1)})
    assert optimum_two_steps(cheaper) == pytest.approx(-2, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "file"), [("dectiger", "dectiger"), ("recycling", "recycling"), ("broadcast-channel", "broadcastChannel")]
)
def test_builtins_equal_the_files_entry_by_entry(name, file):
    game, from_file = load(name, horizon=3), replace(read(file, horizon=3), name=name)
    assert game == from_file
    assert game_sha256(game) == game_sha256(from_file)


def test_box_pushing_breaks_its_mirror_symmetry_in_one_line():
    """(s2E4W, forward forward) -> s3E4S with 9/100, where the image of (s1E3W) demands s3E4W."""
    game = read("boxPushingUAI07")
    index, forward = game.states.index, (2, 2)
    row = dict(game.transition[index("s2E4W"), forward])
    assert row[index("s3E4S")] == Fraction(9, 100)
    assert index("s3E4W") not in row


def test_mars_at_five_steps_is_refused_at_once():
    begun = time.process_time()
    with pytest.raises(InputError, match="depth 4 needs 36,286,560 numbers for the pasts"):
        unroll(read("Mars", horizon=5))
    assert time.process_time() - begun < 15  # counting, not unrolling, which would take minutes and all memory


def test_pasts_are_counted_before_they_are_made():
    """At the last depth of recycling clustering compares 1,250 pasts for each agent, at 15 numbers."""
    game = read("recycling", horizon=4)
    assert len(unroll(game, max_entries=37_500).levels) == 4
    with pytest.raises(InputError, match="depth 3 needs 37,500 numbers for the pasts"):
        unroll(game, max_entries=37_499)
