"""The Coq library, built once a session; tests that need it are skipped, with the reason, where Coq is absent."""

from __future__ import annotations

import pytest

from certify.coq import building


@pytest.fixture(scope="session")
def coq_library(tmp_path_factory):
    if why := building.missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("coq-library")
    building.build_library(folder)
    return folder
