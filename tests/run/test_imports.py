"""An alarm waits for an import to end: a module that is half imported would stay so for the whole process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from certify.run import OutOfTime, Run


def test_no_import_is_cut_in_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.4)\nWHOLE = True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OutOfTime), Run.lasting(0.1).stage("importing"):
        found = importlib.import_module("slow_to_import")
        assert found.WHOLE
        while True:
            pass
    assert sys.modules.pop("slow_to_import").WHOLE
