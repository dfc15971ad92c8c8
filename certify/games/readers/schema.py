"""The published JSON Schema of game files, and errors that name the JSON path."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from certify.errors import InputError

_PLAIN = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,90}|/[1-9][0-9]{0,90})?", re.ASCII)  # exact numbers in any reading
KINDS = ("one-shot", "bayesian", "dec-pomdp")


@cache
def game_schema() -> dict[str, Any]:
    """The schema of native documents and of the canonical form.

    >>> game_schema()["title"]
    'Games of the certify library'
    """
    return json.loads(resources.files("certify.games.readers").joinpath("game.schema.json").read_text(encoding="utf-8"))


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": game_schema()["$defs"]})


def validate(document: Any, where: str) -> None:
    """Raises `InputError`, naming the JSON path, unless the schema of the document's kind holds.

    >>> validate({"kind": "one-shot", "payoff": [[1, True]]}, "here")
    Traceback (most recent call last):
    certify.errors.InputError: here, $.payoff[0][1]: true is not an exact number; see docs/game-format.md for the form
    """
    if not isinstance(document, dict) or document.get("kind") not in KINDS:
        raise InputError(where, "no known kind of game", f'give "kind" as one of {", ".join(KINDS)}')
    try:
        error = best_match(_validator(document["kind"]).iter_errors(_thinned(document)))
    except RecursionError:
        raise InputError(where, "JSON nested too deeply", "flatten it") from None
    if error is None:
        return
    if ".available" in error.json_path and error.validator == "type":
        message = "action sets may depend on the agent and the step only, never on the state or history"
    elif error.validator == "anyOf" or error.parent is not None:  # only numbers have alternatives in the schema
        message = f"{json.dumps(error.instance)[:60]} is not an exact number"
    else:
        message = error.message if len(error.message) <= 200 else f"{error.message[:120]} … {error.message[-70:]}"
    raise InputError(f"{where}, {error.json_path}", message, "see docs/game-format.md for the form")


def _thinned(document: dict[str, Any]) -> dict[str, Any]:
    """The document with one number for every innermost row of plain ones in its payoffs: validating each of some
    ten thousand by the schema takes longer than everything else."""

    def thin(node: Any) -> Any:
        if not isinstance(node, list):
            return node
        if node and all(type(x) is int or (isinstance(x, str) and _PLAIN.fullmatch(x)) for x in node):
            return node[:1]
        return [thin(x) for x in node] if any(isinstance(x, list) for x in node) else node

    return {**document, "payoff": thin(document["payoff"])} if "payoff" in document else document
