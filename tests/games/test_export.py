"""Exported games are the same games when they are read again."""

import json
from fractions import Fraction as F
from pathlib import Path

import pytest
from click.testing import CliRunner
from tree_games import of_the_game, of_the_tree, random_rows

import certify
from certify.cli.main import cli, main
from certify.errors import InputError
from certify.games import builtin, from_array, game_to_json
from certify.games.export import efg_text, json_text, nfg_text
from certify.games.readers.efg import read_efg, tree_of
from certify.games.readers.nfg import read_nfg
from certify.games.readers.textfile import parse_json

FOLDER = Path(__file__).resolve().parent / "gambit"
ONE_SHOT = ["lever:3:9/10", "climbing", "match:2x3x2", "penalty:-10"]
LONGER = [("dectiger", 2), ("recycling", 2), ("two-stage-lever", 2), ("lewis:2", None), ("tiny-hanabi:E", None)]


@pytest.mark.parametrize("name", ONE_SHOT)
def test_tables_come_back(name):
    game = builtin(name)
    for again in (read_nfg(nfg_text(game), "x", name), read_efg(efg_text(game), "x", name)):
        assert game_to_json(again) == game_to_json(game)


@pytest.mark.parametrize("path", sorted((FOLDER / "nfg").glob("*.nfg")), ids=lambda p: p.stem)
def test_potentials_come_back_with_their_original(path):
    game = certify.load(path)
    for again in (read_nfg(nfg_text(game), "x", game.name), read_efg(efg_text(game), "x", game.name)):
        assert game_to_json(again)["reward"] == game_to_json(game)["reward"] and again.original == game.original


def test_weights_come_back_as_factors():
    from dataclasses import replace

    game = replace(builtin("climbing"), weights=(F(2), F(3)))
    again = read_nfg(nfg_text(game), "x", "climbing")
    assert again.weights == (1, F(3, 2)) and again.reward[0, (0, 0)] == F(11, 2)
    dectiger = replace(builtin("dectiger", horizon=2), weights=(F(1), F(3)))
    assert read_efg(efg_text(dectiger), "x", "dectiger").weights == (1, 3)


@pytest.mark.parametrize(("name", "horizon"), LONGER)
@pytest.mark.parametrize("discount", ["1", "1/2"])
def test_trees_pay_what_the_game_pays(name, horizon, discount):
    """Policies by AOH on the tree, whose information sets are named by them, and on the game."""
    game = certify.load(name, horizon, discount)
    text = efg_text(game)
    tree = tree_of(text, "x")
    again = read_efg(text, "x", name)
    assert again.horizon == game.horizon and again.agents == game.agents
    pay, _ = of_the_tree(tree, random_rows(tree, 7))
    rows = random_rows(tree, 7)
    total, _ = of_the_game(again, row_by_set(again, tree, rows))
    assert total == pay[0] == pay[1]
    assert total == value_of(game, rows_by_key(tree, rows))


def row_by_set(game, tree, rows):
    """Policies of the game that was read again, whose observations are the information sets."""
    own = [[k for k, (p, _, _) in enumerate(tree.sets) if p == i] for i in range(len(game.agents))]
    waits = [names[0] == "wait" for names in game.observations]

    def row_of(i, o, a):
        info = own[i][o - waits[i]]
        labels = tree.sets[info][2]
        legal = [b for b, _ in game.reference[i, o]] if (i, o) in game.reference else range(len(labels))
        return rows[info][labels.index(game.actions[i][a]) if game.actions[i][a] in labels else list(legal).index(a)]

    return row_of


def rows_by_key(tree, rows):
    """(agent, AOH key as the reader names it): row by action name."""
    return {(p, name): dict(zip(labels, rows[k], strict=True)) for k, (p, name, labels) in enumerate(tree.sets)}


def value_of(game, rows):
    """Expected discounted return of the game itself, walking over states."""
    from certify.games.aoh import aoh_key
    from certify.games.labels import plain_names
    from certify.games.model import FIRST

    total = F(0)

    def walk(s, initial, steps, p):
        nonlocal total
        step = len(steps)
        last = steps[-1][1] if steps else initial or (FIRST,) * len(game.agents)
        for a in game.legal_joint_actions(step, last):
            q = p
            for i in range(len(a)):
                if len(game.legal(i, step, last[i])) > 1:
                    key = aoh_key(game, i, initial[i] if initial else None, [(b[i], o[i]) for b, o in steps])
                    q *= rows[i, plain_names([key], "set")[0]][game.actions[i][a[i]]]
            total += q * game.discount**step * game.reward.get((s, a), 0)
            if step + 1 < game.horizon:
                for s2, c in game.transition[s, a]:
                    for o2, e in game.emission[a, s2]:
                        walk(s2, initial, [*steps, (a, o2)], q * c * e)

    for s, o, p in game.start:
        walk(s, o, [], p)
    return total


def test_thresholds_agree():
    game = builtin("two-stage-lever")
    again = read_efg(efg_text(game), "x", "x")
    one, two = (certify.threshold(g, method="structural").alpha_star for g in (game, again))
    assert one == two
    assert certify.load("dectiger", 2).horizon == read_efg(efg_text(builtin("dectiger", 2)), "x", "x").horizon


def test_json_is_the_canonical_form():
    game = builtin("dectiger", 3)
    assert parse_json(json_text(game), "x") == game_to_json(game)


def test_what_a_format_cannot_say_is_refused(monkeypatch):
    monkeypatch.setattr("certify.games.export.LARGEST", 1000)
    with pytest.raises(InputError, match="2 steps is no table; export it as efg"):
        nfg_text(builtin("dectiger"))
    with pytest.raises(InputError, match=r"joint histories and more .* use a shorter horizon"):
        efg_text(builtin("dectiger", 4))
    with pytest.raises(InputError, match="payoffs are written"):
        nfg_text(from_array([[0] * 30] * 30))
    from certify.games.objective import with_reference

    game = with_reference(builtin("lever:2"), {"agent1": {"": {"0": "1/3", "1": "2/3"}}}, "here")
    for write in (nfg_text, efg_text):
        with pytest.raises(InputError, match="a reference policy"):
            write(game)


def run(*arguments):
    return CliRunner().invoke(cli, ["games", *arguments], catch_exceptions=True)


def test_the_command(tmp_path):
    said = run("--export", "nfg", "lever:2")
    assert said.exit_code == 0 and said.output.startswith('NFG 1 R "lever:2"')
    target = tmp_path / "tiger.efg"
    assert run("--export", "efg", "dectiger", "--horizon", "2", "-o", str(target)).exit_code == 0
    assert certify.load(target).horizon == 2
    assert json.loads(run("--export", "json", "climbing").output)["format"] == "certify-game"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--export", "xml", "lever:2"], "choose from json, nfg, efg"),
        (["--export", "nfg"], "a format and a game belong together"),
        (["lever:2"], "a format and a game belong together"),
        (["--export", "nfg", "lever:2", "--json"], "write --export json"),
        (["--discount", "1/2"], "belongs to --export"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["games", *arguments])
    said = capsys.readouterr()
    assert ended.value.code == 2 and message in said.err and said.err.count("\n") == 1 and not said.out


def test_an_optimum_speaks_of_the_original(capsys):
    path = str(FOLDER / "nfg" / "stag_hunt.nfg")
    for more, wanted in (
        (["--json"], '"potential_of": {"lambda_star"'),
        ([], "the one logit QRE of the original game"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["optimum", path, "--alpha", "2", *more])
        assert ended.value.code == 0 and wanted in capsys.readouterr().out
