"""OpenSpiel's games: equal to our own where we have them, refused in one line where they cannot be certified."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest
from joint_histories import joint_histories

import certify
from certify.cli.main import main
from certify.errors import InputError
from certify.games import builtin, load
from certify.games.adapters import openspiel
from certify.games.adapters.openspiel import from_openspiel, openspiel_sizes
from certify.games.signalling import TINY_HANABI

HANABI = "hanabi(players=2,colors=1,ranks=2,hand_size=1,max_information_tokens=1,max_life_tokens=1)"


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(InputError, match=r"install the extra: pip install 'certify\[openspiel\]'"):
        load("openspiel:tiny_hanabi")


@pytest.fixture
def spiel() -> Any:
    return pytest.importorskip("pyspiel", reason="needs the extra openspiel")


def hanabi_of_the_suite(spiel: Any, variant: str) -> certify.Game:
    payoff = TINY_HANABI[variant]
    flat = [r for c in payoff for d in c for a in d for r in a]
    given = {"num_chance": len(payoff), "num_actions": len(payoff[0][0]), "payoff": ";".join(map(str, flat))}
    return from_openspiel(spiel.load_game("tiny_hanabi", given))


@pytest.mark.parametrize("variant", sorted(TINY_HANABI))
def test_tiny_hanabi_is_the_built_in_under_other_names(variant: str, spiel: Any) -> None:
    game, own = hanabi_of_the_suite(spiel, variant), builtin(f"tiny-hanabi:{variant}")
    # table by table: only names differ, so under our names it has the hash of the built-in
    named = replace(game, **{k: getattr(own, k) for k in ("name", "agents", "states", "actions", "observations")})
    if variant == "F":  # thirds: the floats of OpenSpiel are near them, and the name says how near
        assert "floats as rationals, within" in game.name
    assert named == own
    assert certify.games.game_sha256(named) == certify.games.game_sha256(own)


@pytest.mark.parametrize("count", [2, 3])
def test_lewis_is_the_built_in_history_by_history(count: int, spiel: Any) -> None:
    payoffs = ",".join(str(int(a == b)) for a in range(count) for b in range(count))
    given = {"num_states": count, "num_messages": count, "payoffs": payoffs}
    game = from_openspiel(spiel.load_game("lewis_signaling", given))
    own = builtin(f"lewis:{count}")
    renamed = {f"signal{k + 1}": f"Message-{k}" for k in range(count)} | {
        f"guess{k + 1}": f"Action-{k}" for k in range(count)
    }
    seen = {f"type{k + 1}": f"Current-turn-0-State-{k}" for k in range(count)}
    heard = {f"signal{k + 1}": f"Current-turn-1-Message-{k}" for k in range(count)}
    actions = tuple(tuple(renamed.get(a, a) for a in names) for names in own.actions)
    observations = tuple(tuple((seen | heard).get(o, o) for o in names) for names in own.observations)
    # its states remember the message, ours do not: one game, with other tables
    assert joint_histories(replace(own, actions=actions, observations=observations)) == joint_histories(game)
    assert len(game.states) == count + count**2 and len(own.states) == count


def test_the_comparison_sees_one_payoff(spiel: Any) -> None:
    payoff = "10;0;0;4;8;4;10;0;0;0;0;10;4;8;4;0;0;10;0;0;10;4;8;4;0;0;0;10;0;0;4;8;4;10;0;1"
    game = from_openspiel(spiel.load_game(f"tiny_hanabi(payoff={payoff})"))
    own = builtin("tiny-hanabi:E")
    assert replace(game, **{k: getattr(own, k) for k in ("name", "agents", "states", "actions", "observations")}) != own


def test_matrix_coordination_is_two_levers(spiel: Any) -> None:
    found = certify.threshold(spiel.load_game("matrix_coordination"), method="structural")
    assert found.alpha_star == F(1, 2)


@pytest.mark.usefixtures("spiel")
def test_hanabi_needs_kl_and_observations() -> None:
    game = load(f"openspiel:{HANABI}")
    assert game.objective == "kl" and game.horizon == 6 and len(game.states) == 61
    with pytest.raises(InputError, match="use --objective kl"):
        certify.threshold(game)
    assert certify.threshold(game, objective="kl", method="structural").status == "proved"
    table = joint_histories(game)
    assert sum(chance for key, (chance, *_) in table.items() if len(key[0]) == 1) == 1
    for chance, legal, _ in table.values():
        assert chance > 0 and sum(own != ("wait",) for own in legal) <= 1


@pytest.mark.usefixtures("spiel")
def test_box_pushing_is_simultaneous_and_counts_its_steps() -> None:
    game = load("openspiel:coop_box_pushing", horizon=2)
    assert (game.objective, game.available, len(game.states)) == ("entropy", None, 17)
    assert "floats as rationals, within" in game.name  # nine tenths


REFUSED = {
    "openspiel:": "no name",
    "openspiel:hanabi(": "no name",
    "openspiel:no_such_game": "OpenSpiel has no game",
    "openspiel:tiny_hanabi(cards=2)": "OpenSpiel says",
    "openspiel:hanabi(players=x)": "OpenSpiel says",
    "openspiel:kuhn_poker": "payoffs differ between players",
    "openspiel:matrix_mp": "neither a team game nor a potential game",
    "openspiel:hanabi": "too large to enumerate: states by step at least about",
    "openspiel:bridge_uncontested_bidding": "its chance is sampled inside",
    "openspiel:crossword": "its actions are structures",
    "openspiel:tiny_hanabi(max_states=3)": "limit is 3 states",
    "openspiel:lewis_signaling(max_denominator=2)": "no fraction with a denominator up to 2",
    "openspiel:lewis_signaling(max_states=x)": "max_states",
    "openspiel:lewis_signaling(max_denominator=x)": "max_denominator",
    "openspiel:lewis_signaling(tolerance=x)": "tolerance",
    "openspiel:lewis_signaling(objective=best)": "choose from entropy",
    "openspiel:mfg_crowd_modelling": "refused",
}


@pytest.mark.usefixtures("spiel")
@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_and_nothing_else(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["threshold", name, "--method", "structural"])
    out, err = capfd.readouterr()
    assert ended.value.code == 2
    assert out == "" and err.count("\n") == 1
    assert REFUSED[name] in err or REFUSED[name] == "refused"


@pytest.mark.usefixtures("spiel")
def test_reading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    load(f"openspiel:{HANABI}")
    load("openspiel:coop_box_pushing", horizon=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("spiel")
def test_texts_that_do_not_say_all_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Any, state: Any, step: int, seen: tuple) -> None:
        self.state, self.step, self.seen, self.key = state, step, seen, (step, "the same")

    monkeypatch.setattr(openspiel.OpenSpielNode, "__init__", forgetful)
    with pytest.raises(InputError, match="have the same text"):
        from_openspiel("tiny_hanabi")


@pytest.mark.usefixtures("spiel")
def test_sizes_of_the_whole_of_hanabi() -> None:
    sizes = openspiel_sizes("hanabi", 3)
    assert sizes.paths[0] > 1e13 and len(sizes.paths) == 3
    assert openspiel_sizes("tiny_hanabi").paths == (4.0, 12.0)


@pytest.mark.usefixtures("spiel")
def test_json_on_the_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["threshold", "openspiel:tiny_hanabi", "--json", "--method", "structural"])
    assert ended.value.code == 0 and '"horizon": 2' in capfd.readouterr().out


def test_pyspiel_is_not_imported_by_anything_else() -> None:
    code = "import sys, certify.games; sys.exit('pyspiel' in sys.modules or 'jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_matrix_games_with_a_potential(spiel: Any) -> None:
    hunt = certify.from_openspiel(spiel.load_matrix_game("matrix_sh"))
    assert hunt.agents == ("player0", "player1") and hunt.actions[0] == ("Stag", "Hare")
    assert hunt.original is not None and hunt.original.payoffs[1] == (0, 1) and hunt.weights == (1, 1)
    result = certify.threshold(spiel.load_matrix_game("matrix_pd"), method="structural")
    assert result.potential_of is not None and result.potential_of.lambda_star == 1 / result.alpha_star
    tensor = spiel.create_tensor_game([[1, 0, 0, 2], [2, 0, 0, 4]], [2, 2])
    assert certify.from_openspiel(tensor).weights == (1, F(1, 2))
    with pytest.raises(certify.InputError, match="payoffs differ between players"):
        certify.from_openspiel(tensor, horizon=2)


@pytest.mark.usefixtures("spiel")
def test_an_interrupted_game_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = from_openspiel(HANABI)
    calls, asked = itertools.count(), openspiel.OpenSpielModel.outcomes

    def stops(self: Any, node: Any, joint: tuple) -> list:
        if next(calls) == 60:
            raise KeyboardInterrupt
        return asked(self, node, joint)

    path = tmp_path / "hanabi.steps"
    with monkeypatch.context() as patched:
        patched.setattr(openspiel.OpenSpielModel, "outcomes", stops)
        with pytest.raises(KeyboardInterrupt):
            from_openspiel(HANABI, cache=path)
    assert 1 < path.read_text(encoding="utf-8").count("\n") < len(whole.states)
    assert from_openspiel(HANABI, cache=path) == whole
    assert from_openspiel(HANABI, cache=path) == whole
