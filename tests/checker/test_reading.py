"""Limits hold in every part of a certificate, those that a checker ignores included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certify.checker import Malformed, check_certificate
from certify.checker.reading.envelope import MAX_DEPTH, MAX_INTEGER, MAX_TEXT, parse, read_object

VALID = Path(__file__).resolve().parent.parent / "certificates" / "valid" / "lever_rho.json"


def nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value, accepted",
    [
        (nested(MAX_DEPTH), True),  # the certificate itself is depth 0
        (nested(MAX_DEPTH + 1), False),
        ([MAX_INTEGER, -MAX_INTEGER], True),
        ([MAX_INTEGER + 1], False),
        ({"x": -MAX_INTEGER - 1}, False),
        ("x" * MAX_TEXT, True),
        ({"x" * (MAX_TEXT + 1): 1}, False),
        (["\ude00\ud83d"], False),  # surrogates in the wrong order
        ("\U0001f600", True),
        (0.5, False),
        (float("nan"), False),
        ({1, 2}, False),
    ],
)
def test_limits_of_ignored_fields(value: object, accepted: bool) -> None:
    document = json.loads(VALID.read_text(encoding="utf-8")) | {"search": value}
    if accepted:
        assert check_certificate(document).valid
        return
    with pytest.raises(Malformed) as caught:
        check_certificate(document)
    assert str(caught.value).isprintable()


def test_an_object_is_read_as_the_file_that_it_would_make() -> None:
    assert read_object({"a": (1, 2)}) == parse(b'{"a": [1, 2]}') == {"a": [1, 2]}
    circle: dict = {}
    circle["self"] = circle
    for odd in ([], None, "x", circle):
        with pytest.raises(Malformed):
            read_object(odd)
