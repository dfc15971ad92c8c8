"""Detached Ed25519 signatures of certificates: who published a file, and that it is unaltered.  They say
nothing about whether its claim is true: that is `certify check`.

What is signed are the canonical bytes (docs/game-format.md): sorted keys, compact separators, UTF-8.
Needs the package `cryptography` (the extra `sign`).
"""

from __future__ import annotations

from typing import Any

from certify.errors import InputError
from certify.games.canonical import canonical_bytes, sha256_of

ALGORITHM = "Ed25519"
_FIELDS = {"algorithm", "sha256", "public_key", "signature"}


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise InputError("sign", "the package cryptography is not installed", "pip install 'certify[sign]'") from None
    return ed25519


def new_key() -> bytes:
    """A fresh private key: 32 bytes.

    >>> len(new_key())
    32
    """
    return _library().Ed25519PrivateKey.generate().private_bytes_raw()


def sign(document: dict[str, Any], key: bytes) -> dict[str, str]:
    """A signature of a certificate by the private key (32 bytes).

    >>> signature = sign({"kind": "threshold"}, bytes(32))
    >>> verify({"kind": "threshold"}, signature), verify({"kind": "other"}, signature)
    (True, False)
    """
    if len(key) != 32:
        raise InputError("key", f"{len(key)} bytes", "give the 32 bytes of an Ed25519 key, as 64 hexadecimal digits")
    private = _library().Ed25519PrivateKey.from_private_bytes(key)
    return {
        "algorithm": ALGORITHM,
        "sha256": sha256_of(document),
        "public_key": private.public_key().public_bytes_raw().hex(),
        "signature": private.sign(canonical_bytes(document)).hex(),
    }


def verify(document: dict[str, Any], signature: Any, public_key: str | None = None) -> bool:
    """Whether `signature` is one of exactly this certificate; by `public_key` (hexadecimal) if given, else by the
    key that the signature names, which then proves no identity.

    Raises `InputError` for an object that is not a signature.
    """
    ed25519 = _library()
    if not isinstance(signature, dict) or set(signature) != _FIELDS or signature["algorithm"] != ALGORITHM:
        raise InputError(
            "signature", "not an Ed25519 signature of a certificate", "give the file that `certify sign` wrote"
        )
    from cryptography.exceptions import InvalidSignature

    try:
        named, signed = bytes.fromhex(signature["public_key"]), bytes.fromhex(signature["signature"])
        wanted = named if public_key is None else bytes.fromhex(public_key)
        public = ed25519.Ed25519PublicKey.from_public_bytes(wanted)
    except (TypeError, ValueError):
        raise InputError(
            "signature",
            "a key or signature that is not hexadecimal of the right length",
            "keys have 64 digits, signatures 128",
        ) from None
    if wanted != named or signature["sha256"] != sha256_of(document):
        return False
    try:
        public.verify(signed, canonical_bytes(document))
    except InvalidSignature:
        return False
    return True
