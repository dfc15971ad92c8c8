"""Every script in examples/ runs as a reader would run it, and prints what it is there to show."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXPECTED = {
    "own_game": [": valid (", "ridge = coast", "symmetries     4"],
    "from_gambit": ["weights 1, 4/5", "exactly one logit QRE for every lambda <= 1.4", "as the same game: True"],
    "own_environment": ["alpha* ", "symmetries     2", "3.2 as listed"],
    "from_dpomdp": ["structural:", "accepted by the independent checker"],
    "trained_policy": ["largest difference", "at most", "odd lever"],
    "train_and_certify": ["of the only stationary policy at alpha = 5/4", "self-play earns at least", "worst pair"],
    "symmetries_and_defects": ["2 symmetries, proved to be all", "9/10", "4/5", "p3"],
    "entropy_of_an_update": ["REPO at the neutral beta", "increases", "decreases", "valid"],
}


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "INVALID" not in done.stdout
    return done.stdout


def test_every_script_is_listed() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


DEAR = ("train_and_certify", "trained_policy")  # half a minute and five seconds of CPU time


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in DEAR)) for n in EXPECTED])
def test_example(name: str) -> None:
    output = run(name)
    for text in EXPECTED[name]:
        assert text in output


def test_mending_the_planted_defect_doubles_the_group(tmp_path: Path) -> None:
    mended = tmp_path / "mended.dpomdp"
    text = (EXAMPLES / "cart.dpomdp").read_text(encoding="utf-8")
    assert "0 0 0 1/5 4/5" in text
    mended.write_text(text.replace("0 0 0 1/5 4/5", "0 0 0 1/10 9/10"), encoding="utf-8")
    output = run("symmetries_and_defects", str(mended))
    assert "4 symmetries, proved to be all" in output
    assert "fails in" not in output
