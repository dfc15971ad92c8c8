"""The notebooks run from top to bottom: their cells as plain Python, and in a kernel where there is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.ipynb"))


def cells(path: Path) -> list[str]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]


def test_there_are_three() -> None:
    assert len(NOTEBOOKS) == 3


QUICK = "below_and_above_the_threshold"


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=[] if p.stem == QUICK else [pytest.mark.slow], id=p.stem) for p in NOTEBOOKS]
)
def test_the_cells_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for k, source in enumerate(cells(path)):
        exec(compile(source, f"{path.name}, cell {k}", "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_in_a_kernel(path: Path, tmp_path: Path) -> None:
    """With what a reader sees: every last value of a cell is shown."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: `make docs` brings it")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: `make docs` brings it")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, startup_timeout=900, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert shown and not [o for o in shown if o.output_type == "error"]
