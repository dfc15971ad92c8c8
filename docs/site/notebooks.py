"""The notebooks of examples/ as pages, run anew by every build, with what their cells show."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

_PATIENT = {"timeout": 600, "startup_timeout": 300, "extra_arguments": ["--log-level=ERROR"]}  # for a busy machine
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def write(source: Path) -> None:
    """notebooks.md and a page for every notebook in the tree of the site."""
    folder = source / "notebooks"
    folder.mkdir()
    names = []
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        run = NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **_PATIENT)
        run.execute()
        (folder / f"{path.stem}.md").write_text(page(notebook, path), encoding="utf-8")
        names.append(path.stem)
    listed = "\n".join(f"notebooks/{name}" for name in names)
    text = "# Notebooks\n\nRun while this site was built; the files are in `examples/`.\n\n"
    (source / "notebooks.md").write_text(f"{text}```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n", encoding="utf-8")


def page(notebook: Any, path: Path) -> str:
    """A notebook as Markdown."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
            parts += [shown for output in cell.outputs if (shown := _output(output))]
    return "\n\n".join([*parts, f"The notebook: [{path.name}](../examples/{path.name})"]) + "\n"


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" else ""
    data = output.get("data", {})
    if "text/html" in data:
        return "```{raw} html\n" + textwrap.dedent("".join(data["text/html"])) + "\n```"
    return f"```text\n{''.join(data['text/plain'])}\n```" if "text/plain" in data else ""
