"""Checks a claim about the entropies of a training batch (docs/entropy.md, "Batches"); standard library only.

The digest is SHA-256 over the header (fields, recipe, sizes), the totals and the root of a Merkle tree whose nodes
carry the sums of their leaves.  The sample of leaves is drawn by the digest, so that whoever makes it cannot choose.
Of every sampled token are recomputed: its place in the tree, its row's hash; H, K = π_k L_k − E[πL], N = Σ π²L² from
the row; that −c K + τ N lies in the claimed change for every c, τ in the committed intervals; its flags; and, for
recipes without corrections, that c holds w Â f with f = ρ where kept, 0 where cut, the hull where ambiguous.
Without rows the sign is that of the mode's lemma (π_k > 1/2) or of log π_k + H < 0 (docs/theory/updates.md#mode-token).
Advantages, log-ratios and stored entropies are data: the digest commits to them.
"""

import hashlib
import json
import struct
from fractions import Fraction
from itertools import pairwise
from typing import Any

from certify.checker.numbers.interval import BITS, UNIT, ZERO, Interval, exp, log, total
from certify.checker.reading.envelope import Failed, Malformed, array, envelope, integer, rational, record
from certify.checker.verdict import Proof, Run

UNITS = 1 << 96
COUNTS = ("active", "up", "down", "undecided", "still", "kept", "cut", "ambiguous")
SUMS = ("entropy_low", "entropy_high", "change_low", "change_high", *COUNTS)
FIGURES = ("log_pi", "entropy", "change", "coefficient", "bonus", "advantage", "log_ratio")
FIELDS = (*(f"{name}_{end}" for name in FIGURES for end in ("low", "high")), "token", "flags")
CODES = {"bfloat16": (8, 8), "float16": (5, 11)}  # exponent bits, significand bits with the hidden one
FLOATS = {"float32": "<f", "float64": "<d"}
_MOST_LEAVES = 1 << 24
_DEEP = 2_000  # e^-2000 is below the unit of the arithmetic
_LARGEST_LOG_RATIO = 10_000  # of a token or a sequence: its exponential stays a number of some thousand digits
_MOST_ROW = 1 << 22


class Header:
    """The sizes and the recipe that the digest commits to."""

    def __init__(self, data: Any) -> None:
        record(data, "batch", ("tokens", "block", "fields", "rows", "vocabulary", "recipe"))
        self.tokens = integer(data["tokens"], "batch.tokens", 1, 1 << 40)
        self.block = integer(data["block"], "batch.block", 1, 1 << 16)
        self.fields = array(data["fields"], "batch.fields")
        if any(f not in FIELDS for f in self.fields) or len(set(map(str, self.fields))) != len(self.fields):
            raise Malformed("batch.fields", "not distinct fields of the format")
        if "flags" not in self.fields or any(self._half(f) for f in self.fields):
            raise Malformed("batch.fields", "flags or one end of an interval are missing")
        self.rows = data["rows"]
        if self.rows is not None and self.rows not in CODES and self.rows not in FLOATS:
            raise Malformed("batch.rows", "not a float format")
        needed = ["coefficient", "advantage"] + (["entropy", "change"] if self.rows is not None else [])
        if any(f"{name}_low" not in self.fields for name in needed):
            raise Malformed("batch.fields", f"one of {', '.join(needed)} is missing")
        self.size = 0 if self.rows is None else integer(data["vocabulary"], "batch.vocabulary", 2, _MOST_ROW)
        if self.rows is not None and self.block != 1:
            raise Malformed("batch.block", "rows of logits stand alone")
        self.recipe = data["recipe"]
        if not isinstance(self.recipe, dict):
            raise Malformed("batch.recipe", "not an object")
        self.leaves = -(-self.tokens // self.block)
        if self.leaves > _MOST_LEAVES:
            raise Malformed("batch", "too many leaves")
        self.text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def _half(self, field: str) -> bool:
        name, _, end = field.rpartition("_")
        return end in ("low", "high") and f"{name}_{'high' if end == 'low' else 'low'}" not in self.fields


def check_batch(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-batch"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("claim", "batch", "root", "sample"))
    header = Header(certificate["batch"])
    claim = record(certificate["claim"], "claim", ("digest", "sums"))
    sums = record(claim["sums"], "claim.sums", SUMS)
    totals = tuple(_whole(sums[name], f"claim.sums.{name}") for name in SUMS)
    root = _hash(certificate["root"], "root")
    text = f"batch {header.text} {','.join(map(str, totals))}\n"
    digest = hashlib.sha256(text.encode() + root).digest()
    if digest != _hash(claim["digest"], "claim.digest"):
        raise Failed("the digest is not that of the header, the totals and the root", step="digest")
    sample = array(certificate["sample"], "sample")
    if not sample:
        raise Malformed("sample", "empty")
    drawn = _drawn(digest, header.leaves, len(sample))
    active = totals[SUMS.index("active")]
    for item, index in zip(sample, drawn, strict=True):
        _check_leaf(item, index, header, (root, totals), active)
        run.tell(f"leaf {index}")
    return Proof((_sentence(header, totals, len(sample)),), len(sample))


def _sentence(header: Header, totals: tuple[int, ...], checked: int) -> str:
    of = dict(zip(SUMS, totals, strict=True))
    found = f"a batch of {of['active']} tokens"
    if "entropy_low" in header.fields:
        found += f" has total entropy in [{_short(of['entropy_low'])}, {_short(of['entropy_high'])}]"
    if "change_low" in header.fields:
        found += f", first-order change in [{_short(of['change_low'])}, {_short(of['change_high'])}]"
    found += f", {of['up']} up, {of['down']} down, {of['undecided']} undecided; clip decisions {of['kept']} kept, "
    found += f"{of['cut']} cut, {of['ambiguous']} ambiguous; "
    if checked == header.leaves:
        return found + "every token verified"
    share = f"{checked} of {header.leaves} blocks, drawn by the digest, verified"
    return found + f"{share} (the totals are those of the committed blocks)"


def _short(units: int) -> str:
    return f"{float(Fraction(units, UNITS)):.9g}"


def _whole(value: Any, where: str) -> int:
    number = rational(value, where)
    if number.denominator != 1:
        raise Malformed(where, "not a whole number")
    return int(number)


def _hash(value: Any, where: str) -> bytes:
    if not isinstance(value, str) or len(value) != 64 or any(c not in "0123456789abcdef" for c in value):
        raise Malformed(where, "not a SHA-256 in hexadecimal digits")
    return bytes.fromhex(value)


def _drawn(seed: bytes, leaves: int, size: int) -> list[int]:
    """The leaves of a sample: by SHA-256 of the digest and a counter, without repetition, ascending."""
    if size >= leaves:
        return list(range(leaves)) if size == leaves else _too_many()
    chosen: set[int] = set()
    counter = 0
    while len(chosen) < size:
        found = hashlib.sha256(seed + counter.to_bytes(8, "big")).digest()
        chosen.add(int.from_bytes(found[:16], "big") % leaves)
        counter += 1
    return sorted(chosen)


def _too_many() -> list[int]:
    raise Malformed("sample", "more leaves than the batch has")


def _check_leaf(item: Any, index: int, header: Header, top: tuple[bytes, tuple[int, ...]], active: int) -> None:
    where = f"leaf {index}"
    record(item, where, ("leaf", "sums", "fields", "rows", "path"))
    if integer(item["leaf"], where, 0, header.leaves - 1) != index:
        raise Failed("not the leaf that the digest draws", step=where)
    start = index * header.block
    count = min(header.tokens, start + header.block) - start
    columns = record(item["fields"], f"{where}.fields", tuple(header.fields))
    values = {
        name: [rational(x, f"{where}.{name}") for x in array(columns[name], where, count)] for name in header.fields
    }
    rows = [_Row(row, header, f"{where}.rows") for row in array(item["rows"], where, count if header.rows else 0)]
    sums = tuple(_whole(x, f"{where}.sums") for x in array(item["sums"], where, len(SUMS)))
    data = b"".join(_packed(name, values[name], where) for name in header.fields)
    hashes = b"".join(row.hash for row in rows)
    text = f"leaf {','.join(map(str, sums))} {len(data)} {len(hashes)}\n"
    _climb(
        item["path"], index, header.leaves, (hashlib.sha256(text.encode() + data + hashes).digest(), sums), top, where
    )
    for j in range(count):
        token = {name: values[name][j] for name in header.fields}
        _check_token(token, rows[j] if rows else None, header, active, f"token {start + j}")
    _check_sums(sums, values, where)


def _packed(name: str, numbers: list[Fraction], where: str) -> bytes:
    """The numbers as the digest has them; each must be one of the type."""
    kind = {"token": "<q", "flags": "<B"}.get(name, "<d")
    try:
        data = b"".join(struct.pack(kind, float(x) if kind == "<d" else _integer(x)) for x in numbers)
    except (struct.error, OverflowError):
        raise Malformed(f"{where}.{name}", "a number that does not fit its type") from None
    if kind == "<d" and any(Fraction(float(x)) != x for x in numbers):
        raise Malformed(f"{where}.{name}", "a number that is no float64")
    return data


def _integer(x: Fraction) -> int:
    if x.denominator != 1:
        raise OverflowError
    return int(x)


def _climb(
    path: Any,
    index: int,
    leaves: int,
    node: tuple[bytes, tuple[int, ...]],
    top: tuple[bytes, tuple[int, ...]],
    where: str,
) -> None:
    """From a leaf to the root; an odd node at the end of a level goes up alone."""
    steps = iter(array(path, f"{where}.path"))
    width = leaves
    while width > 1:
        sibling = index ^ 1
        if sibling < width:
            item = record(next(steps, None), f"{where}.path", ("side", "hash", "sums"))
            other = (_hash(item["hash"], where), tuple(_whole(x, where) for x in array(item["sums"], where, len(SUMS))))
            if item["side"] != ("left" if sibling < index else "right"):
                raise Failed("a sibling on the wrong side", step=where)
            node = _parent(other, node) if sibling < index else _parent(node, other)
        index, width = index // 2, -(-width // 2)
    if next(steps, None) is not None:
        raise Malformed(f"{where}.path", "longer than the tree is high")
    if node != top:
        raise Failed("the path does not lead to the root and the totals", step=where)


def _parent(left: tuple[bytes, tuple[int, ...]], right: tuple[bytes, tuple[int, ...]]) -> tuple[bytes, tuple[int, ...]]:
    text = "node " + ",".join(map(str, left[1])) + ";" + ",".join(map(str, right[1])) + "\n"
    sums = tuple(a + b for a, b in zip(left[1], right[1], strict=True))
    return hashlib.sha256(text.encode() + left[0] + right[0]).digest(), sums


def _check_sums(sums: tuple[int, ...], values: dict[str, list[Fraction]], where: str) -> None:
    """The leaf's share of the totals holds the sums of its tokens."""
    live = [int(f) & 1 for f in values["flags"]]
    for j, name in enumerate(SUMS[:4]):
        exact = sum((x for x, on in zip(values.get(name, []), live, strict=False) if on), Fraction(0)) * UNITS
        if (sums[j] < exact) if j % 2 else (sums[j] > exact):
            raise Failed(f"{name} does not hold the sum of its tokens", step=where)
    for k, name in enumerate(COUNTS):
        if sums[4 + k] != sum((int(f) >> k) & 1 for f in values["flags"]):
            raise Failed(f"the count of {name} is wrong", step=where)


class _Row:
    """A row of logits: its hash, and e^d, d, multiplicity of every distinct entry, d = value − top."""

    def __init__(self, data: Any, header: Header, where: str) -> None:
        self.token: int | None = None
        if header.rows in CODES:
            record(data, where, ("codes", "counts", "sampled"))
            codes = [integer(c, where, 0, 65535) for c in array(data["codes"], where)]
            counts = [integer(c, where, 1, header.size) for c in array(data["counts"], where, len(codes))]
            if sum(counts) != header.size or any(a >= b for a, b in pairwise(codes)):
                raise Malformed(where, "not a histogram of the row")
            own = integer(data["sampled"], where, 0, 65535)
            parts: tuple[bytes, ...] = (
                struct.pack(f"<{len(codes)}H", *codes),
                struct.pack(f"<{len(counts)}I", *counts),
                struct.pack("<H", own),
            )
            values = [_decoded(c, *CODES[header.rows], where) for c in codes]
            sampled = _decoded(own, *CODES[header.rows], where)
        else:
            record(data, where, ("values", "sampled"))
            given = array(data["values"], where, header.size)
            values = [None if x == "-inf" else rational(x, where) for x in given]
            floats = [float("-inf") if v is None else _float(v, where) for v in values]
            kind = FLOATS[header.rows]
            try:
                parts = (b"".join(struct.pack(kind, f) for f in floats),)
            except OverflowError:
                raise Malformed(where, f"a number that is no {header.rows}") from None
            stored = [x for (x,) in struct.iter_unpack(kind, parts[0])]
            if any(v is not None and Fraction(f) != v for v, f in zip(values, stored, strict=True)):
                raise Malformed(where, f"a number that is no {header.rows}")
            counts = [1] * len(values)
            self.token = integer(data["sampled"], where, 0, header.size - 1)
            sampled = values[self.token]
        text = f"row {header.rows} {header.size} {len(parts)}\n"
        self.hash = hashlib.sha256(text.encode() + b"".join(parts)).digest()
        finite = [(v, n) for v, n in zip(values, counts, strict=True) if v is not None]
        if sampled is None or all(v != sampled for v, _ in finite):
            raise Malformed(where, "the sampled entry is not in the row")
        top = max(v for v, _ in finite)
        d = [Interval.of(v - top) for v, _ in finite]
        e = [exp(x) if v - top > -_DEEP else Interval(0, 1) for x, (v, _) in zip(d, finite, strict=True)]
        weight = [Interval.of(n) for _, n in finite]
        mass = total(n * x for n, x in zip(weight, e, strict=True))
        mean = total(n * x * y for n, x, y in zip(weight, e, d, strict=True)) / mass
        self.entropy = log(mass) - mean
        pi = [x / mass for x in e]
        centred = [y - mean for y in d]  # L = log π + H = d − E d
        squares = [n * p * p for n, p in zip(weight, pi, strict=True)]
        at = next(k for k, (v, _) in enumerate(finite) if v == sampled)
        self.slope = pi[at] * centred[at] - total(s * x for s, x in zip(squares, centred, strict=True))
        self.norm = total(s * x.square() for s, x in zip(squares, centred, strict=True))


def _float(value: Fraction, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Malformed(where, "a number beyond every float") from None


def _decoded(code: int, exponent_bits: int, precision: int, where: str) -> Fraction | None:
    """The value of a code; None for −inf."""
    fraction_bits = precision - 1
    fraction, exponent = code & ((1 << fraction_bits) - 1), (code >> fraction_bits) & ((1 << exponent_bits) - 1)
    negative = code >> (exponent_bits + fraction_bits)
    if exponent == (1 << exponent_bits) - 1:
        if fraction or not negative:
            raise Malformed(where, "nan or infinity in a row")
        return None
    bias = (1 << (exponent_bits - 1)) - 1
    value = (fraction + (1 << fraction_bits if exponent else 0)) * Fraction(2) ** (
        max(exponent, 1) - bias - fraction_bits
    )
    return -value if negative else value


def _check_token(token: dict[str, Fraction], row: _Row | None, header: Header, active: int, where: str) -> None:
    for name in FIGURES:
        if f"{name}_low" in token and token[f"{name}_low"] > token[f"{name}_high"]:
            raise Failed(f"the ends of {name} are swapped", step=where)
    if max(abs(_span(token, "log_ratio").lo), abs(_span(token, "log_ratio").hi)) > _LARGEST_LOG_RATIO << BITS:
        raise Malformed(where, "a log-ratio beyond 10,000")
    flags = {name: bool(int(token["flags"]) >> k & 1) for k, name in enumerate(COUNTS)}
    c = _span(token, "coefficient")
    if row is not None:
        if row.token is not None and row.token != token.get("token"):
            raise Failed("another entry of the row than the token that was sampled", step=where)
        if not row.entropy.within(token["entropy_low"], token["entropy_high"]):
            raise Failed("the entropy of the row is not within the claimed one", step=where)
        moved = -(c * row.slope) + _span(token, "bonus") * row.norm
        if flags["active"] and not moved.within(token["change_low"], token["change_high"]):
            raise Failed("the first-order change is not within the claimed one", step=where)
        sign = (token["change_low"] > 0) - (token["change_high"] < 0)
    else:
        sign = _sign_without_row(token, c, flags)
    _check_flags(flags, sign, where)
    _check_decision(token, flags, header.recipe, where)
    _check_coefficient(token, flags, header.recipe, active, where)


def _span(token: dict[str, Fraction], name: str) -> Interval:
    if f"{name}_low" not in token:
        return ZERO
    return Interval.of(token[f"{name}_low"], token[f"{name}_high"])


def _sign_without_row(token: dict[str, Fraction], c: Interval, flags: dict[str, bool]) -> int:
    """The sign that log-probabilities alone prove: the one flagged, if it is, else 0."""
    direction = c.positive() - (-c).positive()
    if "log_pi_low" not in token or not direction:
        return 0
    if (_span(token, "log_pi") + log(Interval.of(2))).positive():
        return -direction
    if "entropy_low" in token and (-(_span(token, "log_pi") + _span(token, "entropy"))).positive():
        return direction
    return 0


def _check_flags(flags: dict[str, bool], sign: int, where: str) -> None:
    if not flags["active"]:
        if any(flags.values()):
            raise Failed("a masked token is counted", step=where)
        return
    if (flags["up"] and sign != 1) or (flags["down"] and sign != -1):
        raise Failed("the sign is not proved", step=where)
    if flags["up"] + flags["down"] + flags["undecided"] + flags["still"] != 1:
        raise Failed("not exactly one of up, down, undecided, still", step=where)


def _limits(recipe: dict[str, Any]) -> tuple[Interval | None, Interval | None, Interval | None] | None:
    """Intervals of log(1 − ε_low), log(1 + ε_high), log(dual) of PPO's clip; None for other clips."""
    if recipe.get("clip") != "ppo":
        return None
    low, high = (rational(recipe.get(key), f"batch.recipe.{key}") for key in ("eps_low", "eps_high"))
    dual = None if recipe.get("dual") is None else rational(recipe["dual"], "batch.recipe.dual")
    if low < 0 or high < 0 or (dual is not None and dual <= 0):
        raise Malformed("batch.recipe", "a clip range out of range")
    return (
        None if low >= 1 else log(Interval.of(1 - low)),
        log(Interval.of(1 + high)),
        None if dual is None else log(Interval.of(dual)),
    )


def _check_decision(token: dict[str, Fraction], flags: dict[str, bool], recipe: dict[str, Any], where: str) -> None:
    """Kept and cut are proved by the log-ratio and the sign of the advantage; ambiguous claims nothing."""
    decided = flags["kept"] + flags["cut"] + flags["ambiguous"]
    if "log_ratio_low" not in token or not flags["active"]:
        if decided:
            raise Failed("a clip decision without a ratio", step=where)
        return
    if decided != 1:
        raise Failed("not exactly one of kept, cut, ambiguous", step=where)
    limits = _limits(recipe)
    if limits is None or flags["ambiguous"]:
        return
    low, high, dual = limits
    ratio, advantage = _span(token, "log_ratio"), _span(token, "advantage")
    over = (ratio - high).positive() if high is not None else False
    under = (low is not None and (low - ratio).positive()) or (dual is not None and (ratio - dual).positive())
    not_over = high is None or (ratio - high).hi <= 0
    not_under = (low is None or (low - ratio).hi <= 0) and (dual is None or (ratio - dual).hi <= 0)
    if flags["cut"] and not ((advantage.positive() and over) or ((-advantage).positive() and under)):
        raise Failed("the gradient is not proved to be cut", step=where)
    kept = (advantage.lo >= 0 and not_over) or (advantage.hi <= 0 and not_under) or (not_over and not_under)
    if flags["kept"] and not (kept or advantage.lo == advantage.hi == 0):
        raise Failed("the gradient is not proved to be kept", step=where)


def _check_coefficient(
    token: dict[str, Fraction], flags: dict[str, bool], recipe: dict[str, Any], active: int, where: str
) -> None:
    """c holds w Â f where the recipe is one that this checker re-derives: token mean or sum, PPO's clip or none, no
    correction, no KL in the loss, no mask."""
    plain = recipe.get("correction") == "none" and recipe.get("mask") == "none"
    plain = plain and (recipe.get("kl") == "none" or recipe.get("kl_in") != "loss")
    weight = {"token-mean": Fraction(1, max(1, active)), "sum": Fraction(1)}.get(str(recipe.get("aggregation")))
    if not plain or weight is None or recipe.get("clip") not in ("ppo", "none") or not flags["active"]:
        return
    factor = UNIT
    if "log_ratio_low" in token:
        factor = exp(_span(token, "log_ratio"))
        if flags["cut"]:
            factor = ZERO
        elif flags["ambiguous"]:
            factor = factor.hull(ZERO)
    found = Interval.of(weight) * _span(token, "advantage") * factor
    if not found.within(token["coefficient_low"], token["coefficient_high"]):
        raise Failed("the step's coefficient is not within the claimed one", step=where)
