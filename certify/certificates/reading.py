"""Certificates in words: what is claimed, what it rests on, and what is not claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from certify.certificates import reading_entropy as entropy
from certify.certificates.markup import say
from certify.certificates.reading_anneal import anneal
from certify.certificates.reading_crossplay import crossplay
from certify.certificates.reading_multiplicity import multiplicity
from certify.certificates.reading_optimum import optimum
from certify.certificates.reading_symmetry import symmetry
from certify.certificates.reading_threshold import parameters, threshold
from certify.certificates.statement import NOT_CHECKED, Item, Statement, as_text
from certify.errors import InputError

WRITERS: dict[str, Callable[[dict[str, Any]], Statement]] = {
    "threshold": threshold,
    "structural-parameters": parameters,
    "optimum": optimum,
    "anneal": anneal,
    "multiplicity": multiplicity,
    "crossplay": crossplay,
    "symmetry": symmetry,
    "entropy-sign": entropy.sign,
    "entropy-clipping": entropy.clipping,
    "entropy-controller": entropy.controller,
    "entropy-run": entropy.run,
    "entropy-table": entropy.table,
    "entropy-flow": entropy.flow,
    "entropy-batch": entropy.batch,
}


def statement(document: Any, where: str = "certificate") -> Statement:
    """What a certificate states, as data; nothing of it is verified (that is `certify check`).

    Raises `InputError` if the object is not a certificate, or a damaged one.
    """
    if not isinstance(document, dict) or document.get("format") != "certify-certificate":
        raise InputError(where, "not a certificate", "give a file that `certify` wrote")
    if not isinstance(document.get("claim", {}), dict):
        raise InputError(where, "a damaged certificate (its claim is no object)", "run `certify check` on it")
    try:
        return WRITERS.get(str(document.get("kind")), _other)(document)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            where, f"a damaged certificate ({type(error).__name__}: {error})", "run `certify check` on it"
        ) from None


def describe(document: Any, where: str) -> str:
    """A page about a certificate for a terminal; nothing on it is verified (that is `certify check`).

    Raises `InputError` if the object is not a certificate, or a damaged one.
    """
    return as_text(statement(document, where), [NOT_CHECKED.text])


def _other(document: dict[str, Any]) -> Statement:
    """A kind of certificate that has no words of its own: its claim, field by field."""
    claim = document.get("claim", {})
    fields = claim.items() if isinstance(claim, dict) else [("claim", claim)]
    listed = [Item(say("{}: {}", key, value)) for key, value in list(fields)[:60]]
    kind = document.get("kind")
    return Statement(
        str(kind), say("Certificate of kind {}", kind), say("Consider the certificate."), (), tuple(listed)
    )
