"""Compiled loops are made where there is time for it: a first run is never worse than one without them."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import certify
from certify.answers import ladder
from certify.cli.main import cli, main
from certify.games.builtin import builtin
from certify.games.tree import unroll
from certify.run import Run
from certify.thresholds import cover, loops, step_rule
from certify.thresholds.compiled import compiler
from certify.thresholds.index_tables import Plan
from certify.thresholds.step_rule import compiled_for, hurried, timed


class Machine:
    """What is kept on it, and how often loops were made."""

    def __init__(self) -> None:
        self.kept, self.made, self.trouble = False, 0, False

    def make(self) -> None:
        if self.trouble:
            raise OSError("no room")
        self.kept, self.made = True, self.made + 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One with a compiler on which nothing is kept."""
    found = Machine()
    monkeypatch.setattr(step_rule, "available", lambda: True)
    monkeypatch.setattr(loops, "ready", lambda: found.kept)
    monkeypatch.setattr(loops, "make", found.make)
    return found


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(unroll(builtin("lever:2")))


def after(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The clock of `loops` says so much more; that of runs stays."""
    now = loops.time.monotonic() + seconds
    monkeypatch.setattr(loops, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now)}))


@pytest.mark.parametrize("seconds", [10, 60, 225, None])
def test_what_is_kept_is_used_at_once(machine: Machine, plan: Plan, seconds: float | None) -> None:
    machine.kept = True
    timed(plan, Run.lasting(seconds))
    assert compiled_for(plan) and not hurried(plan)


@pytest.mark.parametrize("seconds", [10, 60, 225])  # 225: what the default limit leaves for a search
def test_a_short_run_keeps_to_arrays(
    machine: Machine, plan: Plan, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(plan, Run.lasting(seconds))
    after(monkeypatch, 100)
    assert not compiled_for(plan) and hurried(plan)
    assert not machine.made


@pytest.mark.parametrize("seconds", [450, None])
def test_a_long_run_makes_them_once_it_takes_a_while(
    machine: Machine, plan: Plan, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    timed(plan, Run.lasting(seconds, progress=told.append))
    assert not compiled_for(plan) and not hurried(plan)
    assert not machine.made and not told
    after(monkeypatch, 25)
    assert compiled_for(plan) and compiled_for(plan)
    assert machine.made == 1 and told == ["compiling the loops of the search: about a minute, once"]


def test_what_another_process_has_made_meanwhile_is_used(
    machine: Machine, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(plan, Run())
    assert not compiled_for(plan)
    machine.kept = True
    after(monkeypatch, 25)
    assert compiled_for(plan) and not machine.made


def test_where_they_cannot_be_made_arrays_go_on(machine: Machine, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    machine.trouble = True
    timed(plan, Run(progress=told.append))
    after(monkeypatch, 25)
    assert not compiled_for(plan) and not compiled_for(plan) and hurried(plan)
    assert len(told) == 2 and "no room" in told[1]


@pytest.mark.parametrize(
    "asked, seconds, here, used, made",
    [
        (True, 60, True, True, 0),
        (False, 60, True, False, 0),  # made meanwhile: the process that asks has not seen it yet
        (False, 600, False, False, 0),
        (True, 60, False, False, 0),  # another machine, where nothing is kept
        (True, 600, False, True, 1),
    ],
)
def test_a_helper_does_what_it_is_told(
    machine: Machine, plan: Plan, asked: bool, seconds: float, here: bool, used: bool, made: int
) -> None:
    machine.kept = asked
    timed(plan, Run.lasting(seconds))
    sent = pickle.dumps(plan)
    machine.kept = here
    helper = pickle.loads(sent)
    assert compiled_for(helper) == used and machine.made == made
    assert pickle.loads(pickle.dumps(helper)).loops.refused == helper.loops.refused


def test_with_helpers_the_process_that_asks_makes_them(
    machine: Machine, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as executor:
        run = Run(executor=executor)
        timed(plan, run)
        after(monkeypatch, 25)
        assert not list(cover._run(plan, [], cover.Effort(), cover.Helper(run)))
    assert machine.made == 1 and pickle.loads(pickle.dumps(plan)).loops.used()


def test_without_a_run_nothing_is_asked(machine: Machine) -> None:
    other = Plan(unroll(builtin("lever:2")))
    assert compiled_for(other) and not hurried(other)
    local = Plan(unroll(certify.games.objective.for_objective(builtin("lever:2"), "local")))
    assert timed(local, Run()).loops is None and not compiled_for(local)


def test_the_answer_says_how_to_make_them(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def climbed(over: bool) -> list[str]:
        """What a search notes whose branch and bound ends with its time over, or with nothing left to do."""
        monkeypatch.setattr(ladder, "sharpen", lambda *_, run, **__: [run.interrupt()][:0] if over else [])
        monkeypatch.setattr(ladder, "find_multiplicity", lambda *_, **__: None)
        nothing = SimpleNamespace(go=lambda run: None, covers=[], finished=True)
        monkeypatch.setattr(ladder, "Descent", lambda *_, **__: nothing)
        question = ladder.Question(builtin("climbing"), "search", Fraction(1, 100), (), Fraction(4), 10_000)
        climb = ladder.Ladder(question, Run.lasting(200))
        climb.climb()
        return climb.notes

    assert loops.HOW in climbed(over=True) and not machine.made
    assert loops.HOW not in climbed(over=False)
    monkeypatch.setattr(step_rule, "available", lambda: False)
    assert loops.HOW not in climbed(over=True)


class TestMarker:
    """What says that all is kept."""

    @pytest.fixture
    def marker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        place: Path = tmp_path / "complete-0.json"
        monkeypatch.setattr(compiler, "_marker", lambda: place)
        for name in ("run-1.py311.nbi", "run-1.py311.1.nbc"):
            (tmp_path / "compiled_0").mkdir(exist_ok=True)
            (tmp_path / "compiled_0" / name).write_text("code")
        return place

    def test_it_is_written_once_all_is_there(self, marker: Path) -> None:
        assert not compiler.is_complete(), "an interrupted compilation has left files, and no marker"
        compiler.mark_complete()
        assert compiler.is_complete() and [p.name for p in marker.parent.glob("*.*")] == [marker.name]

    def test_it_does_not_outlive_what_it_names(self, marker: Path) -> None:
        compiler.mark_complete()
        next(marker.parent.rglob("*.nbc")).unlink()
        assert not compiler.is_complete()

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", "7", "[3]", '["../x"]', "null"])
    def test_another_text_says_nothing(self, marker: Path, text: str) -> None:
        marker.write_text(text)
        assert not compiler.is_complete()

    def test_nothing_is_said_where_nothing_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiler, "_marker", lambda: None)
        compiler.mark_complete()
        assert not compiler.is_complete()


class TestCommand:
    """`certify compile`."""

    @pytest.fixture(autouse=True)
    def compiler_here(self, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(compiler.SWITCH, raising=False)
        monkeypatch.setattr(compiler, "installed", lambda: True)
        monkeypatch.setattr(compiler, "folder", lambda: tmp_path)

    @staticmethod
    def refused(capsys: pytest.CaptureFixture[str]) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["compile"])
        said = capsys.readouterr()
        assert ended.value.code == 2 and not said.out and said.err.count("\n") == 1
        return said.err

    def test_it_makes_them_once(self, machine: Machine, tmp_path: Path) -> None:
        first, second = (CliRunner().invoke(cli, ["compile"]) for _ in range(2))
        assert first.exit_code == second.exit_code == 0 and machine.made == 1
        assert first.stdout.startswith("compiled the loops of the search in ") and str(tmp_path) in first.stdout
        assert second.stdout.startswith("the loops of the search are compiled already")

    def test_it_speaks_json(self, machine: Machine, tmp_path: Path) -> None:
        machine.kept = True
        found = CliRunner().invoke(cli, ["compile", "--json"])
        assert json.loads(found.stdout) == {"seconds": 0.0, "folder": str(tmp_path)}

    def test_it_needs_a_compiler(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiler, "installed", lambda: False)
        assert "numba is not installed; install the extra" in self.refused(capsys)

    def test_it_minds_the_switch(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(compiler.SWITCH, "no")
        assert f"{compiler.SWITCH} is set to no; unset it" in self.refused(capsys)

    def test_it_needs_a_folder(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiler, "folder", lambda: None)
        assert "NUMBA_CACHE_DIR" in self.refused(capsys)

    def test_it_needs_room(self, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        machine.trouble = True
        assert "machine code cannot be kept (no room)" in self.refused(capsys)


needs_numba = pytest.mark.skipif(not compiler.installed(), reason="the extra compiled is not installed")


@needs_numba
def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(compiler, "__file__", str(tmp_path / "file" / "compiler.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    find = compiler.folder.__wrapped__
    assert find().parent == tmp_path / "user" / "certify"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert find() is None
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "told"))
    assert find().parent == tmp_path / "told"
