"""Checks entropy certificates: signs of entropy changes, and exhaustive rounding tables (docs/theory/entropy.md).
Standard library only; nothing is taken from the generator.
"""

from certify.checker.entropy.sign import check_sign
from certify.checker.entropy.table import check_table
from certify.checker.kinds.symmetry import Malformed, Rejected
from certify.checker.numbers.interval import Unbounded

CHECKS = {"entropy-sign": check_sign, "entropy-table": check_table}


def check_entropy(certificate):
    """The verdict on a certificate of kind `entropy-sign` or `entropy-table`.

    Returns {"valid": bool, "claim": str, "steps": N, "failed_step": None or {"step", "reason"}};
    raises `Malformed`, a ValueError, where the certificate cannot be read.

    >>> check_entropy({"format": "certify-certificate", "version": 1, "kind": "entropy-sign"})
    Traceback (most recent call last):
    certify.checker.kinds.symmetry.Malformed: certificate: no usable 'claim'
    """
    if not isinstance(certificate, dict) or certificate.get("format") != "certify-certificate":
        raise Malformed("not a certificate of this project")
    if certificate.get("version") != 1 or isinstance(certificate["version"], bool):
        raise Malformed("certificate: this checker reads version 1")
    kind = certificate.get("kind")
    if not isinstance(kind, str) or kind not in CHECKS:
        raise Malformed("certificate: not an entropy certificate")
    try:
        claim, steps = CHECKS[kind](certificate)
    except Rejected as failure:
        return {
            "valid": False,
            "claim": kind,
            "steps": 0,
            "failed_step": {"step": failure.step, "reason": failure.reason},
        }
    except Unbounded as failure:
        return {
            "valid": False,
            "claim": kind,
            "steps": 0,
            "failed_step": {"step": "arithmetic", "reason": str(failure)},
        }
    except RecursionError:
        raise Malformed("certificate: nested too deeply") from None
    return {"valid": True, "claim": claim, "steps": steps, "failed_step": None}
