"""Certificates of batches: honest ones, and forgeries whose hashes are all in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from certify.answers.entropy_batch import _Report
from certify.entropy.dump import Column, Dump, Logits
from certify.entropy.dump_rows import row_figures
from certify.entropy.formats import BFLOAT16, FloatFormat
from certify.entropy.recipe import find_recipe
from certify.entropy.token_steps import token_steps

TOKENS, SIZE = 6, 5


def batch(format_: FloatFormat | None = BFLOAT16) -> Dump:
    """Six tokens of three sequences, fixed."""
    values = np.array([[(3 * t + 5 * v) % 7 - 2.0 + v / 4 for v in range(SIZE)] for t in range(TOKENS)])
    log_pi = values - np.log(np.exp(values).sum(1, keepdims=True))
    sampled = np.array([0, 1, 2, 3, 4, 2])
    own = BFLOAT16.round(log_pi[np.arange(TOKENS), sampled])
    old = BFLOAT16.round(own - np.array([0.5, -0.5, 0.0, 0.0, 0.4, -0.3]))
    if format_ is None:
        rows = values
    else:
        table = {float(v): c for c, v in enumerate(format_.decode(format_.codes())) if np.isfinite(v)}
        rows = np.array([[table[float(v)] for v in row] for row in format_.round(values)], dtype=np.uint16)
    columns = {
        "token_id": Column(sampled, None),
        "logp_train": Column(own, BFLOAT16),
        "logp_old": Column(np.minimum(old, 0.0), BFLOAT16),
        "advantage": Column(np.array([1.0, -1.0, 2.0, -0.5, 0.0, 1.0]), None),
        "mask": Column(np.array([1, 1, 1, 1, 1, 0]), None),
    }
    return Dump(Path("batch"), TOKENS, columns, Logits((TOKENS, SIZE), format_, lambda a, b: rows[a:b]))


def certificate(change: Callable[[dict], None] | None = None, sample: int = 16, format_=BFLOAT16, rows=True) -> dict:
    """The certificate of the batch, after `change` was made to its fields and before anything was hashed."""
    dump = batch(format_)
    if not rows:
        entropy = Column(BFLOAT16.round(np.array([1.0, 0.5, 0.25, 1.5, 0.5, 0.5])), BFLOAT16)
        dump = Dump(dump.path, TOKENS, {**dump.columns, "entropy": entropy}, None)
    recipe = find_recipe("dapo")
    figures, hashes = row_figures(dump) if rows else (None, b"")

    class Forger(_Report):
        def _fields(self, *arguments):
            fields = {k: v.copy() for k, v in super()._fields(*arguments).items()}
            if change is not None:
                change(fields)
            return fields

    return Forger(dump, recipe, figures, token_steps(dump, recipe, figures), hashes, 0).report().certificate(sample)


def _narrow(name: str, token: int) -> Callable[[dict], None]:
    def change(fields: dict) -> None:
        fields[f"{name}_low"][token] = fields[f"{name}_high"][token]

    return change


def _flip(fields: dict) -> None:
    low, high = fields["change_low"][0], fields["change_high"][0]
    fields["change_low"][0], fields["change_high"][0] = -high, -low
    fields["flags"][0] ^= 0b110


def _flags(token: int, mask: int) -> Callable[[dict], None]:
    def change(fields: dict) -> None:
        fields["flags"][token] ^= mask

    return change


def _halve(fields: dict) -> None:
    fields["coefficient_low"][2] /= 2
    fields["coefficient_high"][2] /= 2


def _far(fields: dict) -> None:
    fields["log_ratio_high"][0] = 1e300


KEPT, CUT = 1 << 5, 1 << 6
FORGED = {  # each with hashes in order: only recomputing finds them
    "entropy_batch_narrow_entropy": lambda: certificate(_narrow("entropy", 1)),
    "entropy_batch_narrow_change": lambda: certificate(_narrow("change", 1)),
    "entropy_batch_flipped_change": lambda: certificate(_flip),
    "entropy_batch_sign_without_proof": lambda: certificate(_flags(4, 0b10010)),
    "entropy_batch_masked_token_counted": lambda: certificate(_flags(5, 0b101)),
    "entropy_batch_up_and_down": lambda: certificate(_flags(0, 0b110 | 0b1000)),
    "entropy_batch_cut_called_kept": lambda: certificate(_flags(0, KEPT | CUT)),
    "entropy_batch_kept_called_cut": lambda: certificate(_flags(2, KEPT | CUT)),
    "entropy_batch_halved_step": lambda: certificate(_halve),
    "entropy_batch_mode_without_majority": lambda: certificate(_flags(0, 0b1100), rows=False),
}


def _set(*path_and_value: object) -> Callable[[dict], None]:
    *path, last, value = path_and_value

    def change(data: dict) -> None:
        for key in path:
            data = data[key]
        data[last] = value

    return change


def _attacked(change: Callable[[dict], None], sample: int = 16) -> Callable[[], dict]:
    def make() -> dict:
        data = certificate(sample=sample)
        change(data)
        return data

    return make


def _other_leaf(data: dict) -> None:
    data["sample"][0], data["sample"][1] = data["sample"][1], data["sample"][0]


def _other_token(data: dict) -> None:
    """Of the token without a step: nothing but the hash of its row depends on which entry was sampled."""
    row = data["sample"][4]["rows"][0]
    row["sampled"] = next(c for c in row["codes"] if c != row["sampled"])


def _own_choice(data: dict) -> None:
    """A full sample, cut down to the leaf that its maker likes."""
    full = certificate()["sample"]
    wanted = next(x for x in full if x["leaf"] != data["sample"][0]["leaf"])
    data["sample"] = [wanted]


ATTACKED = {
    "entropy_batch_other_total": _attacked(_set("claim", "sums", "entropy_low", "0")),
    "entropy_batch_other_digest": _attacked(_set("claim", "digest", "0" * 64)),
    "entropy_batch_other_recipe": _attacked(_set("batch", "recipe", "eps_high", "1")),
    "entropy_batch_other_row": _attacked(_set("sample", 0, "rows", 0, "codes", 0, 1)),
    "entropy_batch_other_token": _attacked(_other_token),
    "entropy_batch_other_sibling": _attacked(_set("sample", 0, "path", 0, "sums", 0, "0")),
    "entropy_batch_other_side": _attacked(_set("sample", 0, "path", 0, "side", "left")),
    "entropy_batch_swapped_leaves": _attacked(_other_leaf),
    "entropy_batch_chosen_sample": _attacked(_own_choice, 1),
    "entropy_batch_other_field": _attacked(_set("sample", 0, "fields", "advantage_high", ["5"])),
}

DEFECTS = {
    "entropy_batch_endless_ratio": lambda: certificate(_far),
    "entropy_batch_no_sample": _attacked(_set("sample", [])),
    "entropy_batch_unknown_field": _attacked(_set("batch", "trust", "me")),
    "entropy_batch_half_an_interval": _attacked(_set("batch", "fields", ["entropy_low", "flags"])),
    "entropy_batch_nan_code": _attacked(
        _set("sample", 0, "rows", 0, {"codes": [32704], "counts": [5], "sampled": 32704})
    ),
    "entropy_batch_counts_miss": _attacked(_set("sample", 0, "rows", 0, "counts", [9, 9, 9, 9, 9])),
    "entropy_batch_digest_of_three_letters": _attacked(_set("claim", "digest", "abc")),
    "entropy_batch_no_float64": _attacked(_set("sample", 0, "fields", "advantage_high", ["1/3"])),
    "entropy_batch_third_of_a_token": _attacked(_set("claim", "sums", "up", "1/3")),
}

VALID = {
    "entropy_batch_full": certificate,
    "entropy_batch_sampled": lambda: certificate(sample=2),
    "entropy_batch_float64": lambda: certificate(format_=None),
    "entropy_batch_without_rows": lambda: certificate(rows=False),
}


def everything() -> dict[str, dict[str, dict]]:
    """All files by folder and name."""
    return {
        "valid": {name: make() for name, make in VALID.items()},
        "invalid": {name: make() for name, make in {**FORGED, **ATTACKED}.items()},
        "malformed": {name: make() for name, make in DEFECTS.items()},
    }
