"""The Coq library, built once a session; tests that need it are skipped, with the reason, where Coq is absent."""

from __future__ import annotations

import os

import pytest

from certify.coq import building


@pytest.fixture(scope="session")
def coq_library(tmp_path_factory):
    if why := building.missing():
        pytest.skip(why)
    fcntl = pytest.importorskip("fcntl", reason="the workers of a test run share one build through a Unix lock")
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # the workers' folders lie side by side
    folder, done = base / "coq-library", base / "coq-library.done"
    with (base / "coq-library.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            building.build_library(folder)
            done.touch()
    return folder
