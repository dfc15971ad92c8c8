"""An alarm waits for an import to end: a module that is half imported would stay so for the whole process."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import pytest

from certify.run import OutOfTime, Run


def test_no_import_is_cut_in_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for limit in (0.1, 1, 5, 25):  # where the machine halts for a while, the alarm may ring before
        lines = ["import time", f"time.sleep({limit} + 0.3)", "WHOLE = True", ""]
        (tmp_path / "slow_to_import.py").write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(OutOfTime), Run.lasting(limit).stage("importing"):
            found = importlib.import_module("slow_to_import")
            assert found.WHOLE
            time.sleep(100)
        if "slow_to_import" in sys.modules:
            break
    assert sys.modules.pop("slow_to_import").WHOLE
