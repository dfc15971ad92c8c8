"""`certify sign`: detached Ed25519 signatures of certificates, made and verified."""

from __future__ import annotations

import os
from pathlib import Path

import click

from certify.certificates.signing import new_key, verify
from certify.certificates.signing import sign as sign_document
from certify.certificates.writing import save_document
from certify.cli.completion import complete_file
from certify.cli.options import OutputFile, read_certificate, spare_inputs
from certify.cli.output import DONE, REFUTED, print_json
from certify.errors import InputError
from certify.games.readers.textfile import parse_json, read_text


@click.command()
@click.argument("certificate", shell_complete=complete_file)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Private key, 64 hexadecimal digits; made if the file does not exist.",
)
@click.option("--verify", "signature", type=click.Path(path_type=Path), help="Verify this signature instead.")
@click.option("--public-key", help="Accept the signature from this key only (64 hexadecimal digits).")
@click.option("-o", "--output", type=OutputFile(), help="The signature (default: CERTIFICATE.sig).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def sign(certificate, key, signature, public_key, output, as_json) -> int:
    """Sign CERTIFICATE, or verify a signature of it: who published it, not whether it is true (`certify check`)."""
    spare_inputs()
    document = read_certificate(certificate)
    if (key is None) == (signature is None):
        raise InputError("sign", "neither or both of --key and --verify", "give --key to sign, --verify to verify")
    if signature is not None:
        found = parse_json(read_text(signature), str(signature))
        good = verify(document, found, public_key)
        if as_json:
            print_json({"valid": good, "public_key": found["public_key"]})
        else:
            by = f"by the public key {found['public_key']}" + (
                "" if public_key else ", which the signature itself names"
            )
            print(f"signed {by}" if good else "NOT a signature of this certificate by that key")
        return DONE if good else REFUTED
    found = sign_document(document, _private_key(key))
    path = save_document(found, output or Path(f"{certificate}.sig"))
    print_json(found) if as_json else print(f"{path}: signed by the public key {found['public_key']}")
    return DONE


def _private_key(path: Path) -> bytes:
    """The key in the file; a fresh one, readable by its owner only, where there is no file."""
    if not path.exists():
        key = new_key()
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(key.hex() + "\n")
        except OSError as error:
            if not isinstance(error, FileExistsError):
                path.unlink(missing_ok=True)
            raise InputError(
                str(path), f"cannot be written ({error.strerror})", "name a file in a folder that exists"
            ) from None
        return key
    try:
        return bytes.fromhex(read_text(path).strip())
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(path), "not a key", "a key file has 64 hexadecimal digits") from None
