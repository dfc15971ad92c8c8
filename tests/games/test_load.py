"""`load`: every kind of input, and one line for every kind of bad input."""

import gzip
import json
from fractions import Fraction as F

import pytest

from certify.errors import InputError
from certify.games import builtin, game_to_json, load

SMALL = """agents: 2
discount: 0.9
values: reward
states: 1
start: 0
actions:
a b
a b
observations:
1
1
T: * : identity
O: * : uniform
R: a a : * : * : * : 1
"""


@pytest.fixture
def write(tmp_path):
    def writer(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def test_dpomdp_files(write):
    path = write("small.dpomdp", SMALL)
    game = load(path, horizon=3)
    assert (game.name, game.horizon, game.discount) == ("small", 3, F(9, 10))
    assert load(str(path), horizon=1, discount="1/2").discount == F(1, 2)
    assert load(write("UPPER.DPOMDP", SMALL), horizon=2).name == "UPPER"
    assert load(write("mark.dpomdp", b"\xef\xbb\xbf" + SMALL.encode()), horizon=2).agents == game.agents


def test_dpomdp_files_as_people_save_them(write):
    plain = load(write("plain.dpomdp", SMALL), horizon=2)
    remarked = SMALL.replace("\n", "  # caf\xe9\n", 1)
    for name, content in {
        "packed.dpomdp.gz": gzip.compress(SMALL.encode()),
        "utf16.dpomdp": SMALL.encode("utf-16"),
        "big-endian.dpomdp": b"\xfe\xff" + SMALL.encode("utf-16-be"),
        "latin-1-comments.dpomdp": remarked.encode("latin-1"),
        "old-mac.dpomdp": SMALL.replace("\n", "\r").encode(),
        "windows.dpomdp": SMALL.replace("\n", "\r\n").encode(),
    }.items():
        game = load(write(name, content), horizon=2)
        assert game.name == name.partition(".")[0]
        assert game_to_json(game) | {"name": "plain"} == game_to_json(plain)


def test_json_decimals_are_what_is_written(write):
    payoff = [[1.0, 0.1], [1e-3, 0.30000000000000004]]
    game = load(write("floats.json", json.dumps({"kind": "one-shot", "payoff": payoff})))
    assert [game.reward[0, a] for a in ((0, 0), (0, 1), (1, 0), (1, 1))] == [
        F(1),
        F(1, 10),
        F(1, 1000),
        F(30000000000000004, 10**17),
    ]
    assert load(write("wide.json", '{"kind": "one-shot", "payoff": [[1e400, 0]]}')).reward[0, (0, 0)] == 10**400


def test_canonical_and_native_files(write):
    tiger = builtin("dectiger")
    canonical = write("tiger.json", json.dumps(game_to_json(tiger)))
    assert load(canonical) == tiger
    assert load(canonical, horizon=5) == builtin("dectiger", horizon=5)
    assert load(write("certificate.json", json.dumps({"game": game_to_json(tiger), "claim": 1}))) == tiger
    native = write(
        "pair.json", '{"kind": "one-shot", "payoff": [[1, 0], [0, "eps"]], "parameters": {"eps": ["eps > 0"]}}'
    )
    assert load(native, values={"eps": "1e-2"}).reward[0, (1, 1)] == F(1, 100)
    assert load(native, values={"eps": 1}, discount="1/3").discount == F(1, 3)


def test_builtins_by_name():
    assert load("climbing") == builtin("climbing")
    assert load("dectiger", 4, "1/2") == builtin("dectiger", 4, "1/2")


def test_files_in_a_folder_do_not_hide_builtins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "climbing").write_text("nothing")
    assert load("climbing") == builtin("climbing")


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("empty.dpomdp", "", {"horizon": 2}, "an empty file"),
        ("blank.json", " \n\n", {}, "an empty file"),
        ("binary.dpomdp", b"\x00\x01\x02", {"horizon": 2}, "a binary file"),
        ("latin.dpomdp", b"agents: 2\nstates: caf\xe9\n", {"horizon": 2}, "line 2: not UTF-8 text"),
        ("latin-cr.dpomdp", b"agents: 2\rstates: caf\xe9\r", {"horizon": 2}, "line 2: not UTF-8 text"),
        ("half.dpomdp", b"\xff\xfea\x00\xd8", {"horizon": 2}, "not UTF-16 text"),
        ("wide.dpomdp", SMALL.encode("utf-16-le"), {"horizon": 2}, "UTF-16 without a byte order mark"),
        ("small.dpomdp.gz", b"not gzip", {"horizon": 2}, "not a whole gzip file"),
        ("cut.dpomdp.gz", gzip.compress(SMALL.encode(), mtime=0)[:-9], {"horizon": 2}, "not a whole gzip file"),
        ("game.txt.gz", gzip.compress(b"agents: 2", mtime=0), {}, "unknown kind of file"),
        ("small.dpomdp", SMALL, {}, "no horizon; pass --horizon N"),
        ("small.dpomdp", SMALL, {"horizon": 0}, "horizon 0"),
        ("small.dpomdp", SMALL, {"horizon": -3}, "horizon -3"),
        ("small.dpomdp", SMALL, {"horizon": 10**9}, "horizon 1000000000"),
        ("small.dpomdp", SMALL, {"horizon": 2, "discount": "2"}, "discount 2"),
        ("small.dpomdp", SMALL, {"horizon": 2, "rows": "mend"}, "choose from exact, renormalise"),
        ("small.dpomdp", SMALL, {"horizon": 2, "values": {"eps": 1}}, "no parameters"),
        ("game.nfg", "NFG 1 R", {}, "line 1, column 8: the file ends where a title in quotes should stand"),
        ("game.efg", "EFG 2 R", {}, "line 1, column 8: the file ends where a title in quotes should stand"),
        ("game.txt", "agents: 2", {}, "unknown kind of file '.txt'"),
        ("game", "agents: 2", {}, "unknown kind of file"),
        ("list.json", "[1, 2]", {}, "no known kind of game"),
        ("number.json", '{"kind": "one-shot", "payoff": [[1, 0.5e999]]}', {}, "$.payoff[0][1]: the exponent"),
        ("nan.json", '{"kind": "one-shot", "payoff": [[1, NaN]]}', {}, "NaN is not a number"),
        ("syntax.json", '{"kind":\n "one-shot",}', {}, "line 2: not JSON"),
        ("twice.json", '{"kind": "one-shot", "kind": "one-shot"}', {}, "'kind' stands twice"),
        ("deep.json", "[" * 200_000, {}, "nested too deeply"),
        ("digits.json", '{"kind": 1' + "0" * 5000 + "}", {}, "a number of 5001 digits"),
        ("canonical.json", '{"format": "certify-game", "version": 1}', {"values": {"eps": 1}}, "no parameters"),
    ],
)
def test_bad_files(write, name, content, options, message):
    path = write(name, content)
    with pytest.raises(InputError) as caught:
        load(path, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_paths(tmp_path):
    for path, message in [
        (tmp_path, "a directory"),
        (tmp_path / "no.dpomdp", "no such file"),
        (tmp_path / "no.json", "no such file"),
        ("no/such/game", "no such file"),
        ("nosuchgame", "no built-in game"),
        ("dectigr", "did you mean 'dectiger'"),
        ("a\0b.json", "null"),
        ("x" * 5000 + ".json", "too long"),
    ]:
        with pytest.raises(InputError) as caught:
            load(path, horizon=2)
        assert message in str(caught.value)
    (tmp_path / "folder.dpomdp").mkdir()
    with pytest.raises(InputError, match="a directory"):
        load(tmp_path / "folder.dpomdp", horizon=2)


def test_builtins_have_no_parameters_by_name():
    with pytest.raises(InputError, match="no parameter 'eps'"):
        load("climbing", values={"eps": 1})
