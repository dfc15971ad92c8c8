"""Certificates about the entropy of updates in words (docs/entropy.md, docs/theory/entropy.md)."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from typing import Any

from certify.certificates.markup import Sentence, counted, interval, number, say
from certify.certificates.reading_game import digest, enclosure, fraction, named_rows, setting, subject, whole
from certify.certificates.statement import Item, Statement, Table, items

_UNITS = 1 << 96  # of the sums of a batch (docs/entropy.md, "Batches")
_MOST_ROWS = 200
_NO_LIMIT_SAID = items(
    say("Anything about other policies, advantages or algorithms than those restated inside the certificate."),
    say("Anything about function approximation, momentum or optimisers beyond the step described."),
)


def sign(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-sign" states; raises `KeyError` and the like for a damaged one."""
    claim, algorithm = document["claim"], document["algorithm"]
    states = document["policy"]["states"]
    verb = {"increases": "increases", "decreases": "decreases"}[claim["sign"]]
    if claim.get("steps") is None:
        what = say(f"To first order the entropy {verb} along the step.")
        proof = say("The derivative of the entropy at step 0 is enclosed on one side of 0.")
        pieces: tuple[Item, ...] = ()
    else:
        low, high = (fraction(end, "steps") for end in claim["steps"])
        left = "(" if low == 0 else "["
        shown = f"{left}{number(low, up=True)}, {number(high, up=False)}]"
        what = say(f"The entropy {verb} for every step size $eta in {shown}$.")
        proof = say(
            f"The steps are covered by {counted(len(document['pieces']), 'piece')}; on each the enclosure has the sign."
        )
        pieces = tuple(
            Item(say(f"$eta in {interval(fraction(p[0]), fraction(p[1]), 6)}$: by its {{}}", p[2]))
            for p in document["pieces"][:_MOST_ROWS]
        )
    return Statement(
        "entropy-sign",
        say("Entropy certificate of one step of {=}", algorithm),
        say(f"Consider a softmax policy with {_states(states)} as in the certificate, and one step of {{=}} with the "
            "advantages given there.", algorithm),
        (("algorithm", say("{=}", algorithm)), ("policy", say(_states(states))), *_parameters(document["parameters"])),
        tuple(items(what)),
        proof=(Item(proof, (Item(say("The pieces"), pieces, folded=True),) if pieces else ()),),
        assumptions=items(
            say("Tabular logits; the step is the algorithm's as documented, with exactly the numbers in the "
                "certificate."),
        ),
        limits=_NO_LIMIT_SAID,
        tables=(_policy(states, document["advantages"]["states"]),),
    )  # fmt: skip


def _states(states: list[Any]) -> str:
    count = len(states)
    sizes = [len(s.get("probabilities", s.get("logits", ()))) for s in states]
    span = str(sizes[0]) if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"
    return f"{count} state{'s' * (count != 1)} of {span} actions"


def _parameters(parameters: dict[str, Any]) -> tuple[tuple[str, Sentence], ...]:
    shown = [(k, v) for k, v in sorted(parameters.items()) if isinstance(v, (str, int)) and not isinstance(v, bool)]
    if not shown:
        return ()
    return (("parameters", say(", ".join(["{=} = {=}"] * len(shown)), *(x for pair in shown for x in pair))),)


def _entry(value: Any) -> Sentence:
    if isinstance(value, list):
        return say(f"${interval(fraction(value[0]), fraction(value[1]), 6)}$")
    return say(f"${number(fraction(value), 6, up=True)}$")


def _policy(states: list[Any], advantages: list[Any]) -> Table:
    rows: list[tuple[Sentence, ...]] = []
    for s, state in enumerate(states):
        entries, logits = state.get("probabilities"), state.get("logits")
        per_action = advantages[s] if s < len(advantages) else []
        for a, entry in enumerate(entries if entries is not None else logits):
            given = _entry(entry) if entries is not None else say("logit ") + _entry(entry)
            rows.append(
                (say(f"{s + 1}"), say(f"{a}"), given, _entry(per_action[a]) if a < len(per_action) else say("–"))
            )
    shown = rows[:_MOST_ROWS]
    title = "Policy and advantages" + (f" (the first {_MOST_ROWS} of {len(rows)} entries)" if rows[_MOST_ROWS:] else "")
    return Table(say(title), (say("state"), say("action"), say("probability"), say("advantage")), tuple(shown))


def clipping(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-clipping" states."""
    says = document["claim"]["says"]
    low, high = 1 - fraction(document["eps_low"], "eps_low"), 1 + fraction(document["eps_high"], "eps_high")
    limits = f"$[{number(low, up=False)}, {number(high, up=True)}]$"
    claims = {
        "in range": lambda: say(f"All ratios of new to old probabilities lie in {limits}, so the entropy changes by a "
                                f"factor in {limits}."),
        "out of range": lambda: say(
            f"The ratio of action {whole(document['claim']['action'], 'action')} is outside {limits}."
        ),
        "bound broken": lambda: say(f"The new entropy is outside {limits} times the old one."),
    }  # fmt: skip
    return Statement(
        "entropy-clipping",
        say("Clipping certificate: an update against the clip range"),
        say("Consider the policies before and after an update, as in the certificate."),
        (("clip range", say(limits)), ("policy", say(_states(document["old"]["states"])))),
        items(claims[says]()),
        proof=items(
            say("Ratios and entropies of both policies are enclosed; the bounds are Gibbs' inequality, twice.")
        ),
        assumptions=items(say("The two policies are exactly those restated inside the certificate.")),
        limits=items(
            say("That a clipped objective keeps ratios in range: it only zeroes gradients, and a step can overshoot.")
        ),
        tables=(_before_and_after(document["old"]["states"], document["new"]["states"]),),
    )


def _before_and_after(old: list[Any], new: list[Any]) -> Table:
    before, after = (s[0].get("probabilities", s[0].get("logits")) for s in (old, new))
    rows = [(say(f"{a}"), _entry(x), _entry(y)) for a, (x, y) in enumerate(zip(before, after, strict=False))]
    return Table(say("Both policies"), (say("action"), say("old"), say("new")), tuple(rows[:_MOST_ROWS]))


def controller(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-controller" states."""
    steps, sharp = whole(document["claim"]["saturation"], "saturation"), document["claim"]["sharp"] is True
    limits = document["limits"]
    listed = ", ".join([f"{{=}} ${number(fraction(v, k), up=True)}$" for k, v in limits.items()])
    most = "that many are needed" if sharp else "whether fewer are always enough is not claimed"
    name = document["controller"]
    return Statement(
        "entropy-controller",
        say("Controller certificate: the coefficient of {=}", name),
        say(f"Consider the controller {{=}} with {listed}.", name, *limits),
        (("controller", say("{=}", name)), ("limits", say(listed, *limits))),
        items(
            say(f"The coefficient stays in its range and saturates within {steps} steps on one side of the target; "
                f"{most}."),
        ),
        proof=items(say("The image of the whole range under every step is followed exactly, until it is one point.")),
        assumptions=items(say("The entropy stays on one side of its target meanwhile.")),
        limits=items(say("Whether the entropy reaches its target.")),
    )  # fmt: skip


def run(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-run" states."""
    claim = document["claim"]
    after, actions = whole(claim["after"], "after"), whole(document["actions"], "actions")
    side = {"below": "below", "above": "above"}[claim["side"]]
    start, step = fraction(document["probability"], "probability"), fraction(document["step"], "step")
    rule = document["coefficient"]
    if isinstance(rule, dict):
        most, change, target = (number(fraction(rule[k], k), up=True) for k in ("most", "change", "target"))
        told = f"a bonus of at most ${most}$, moved by ${change}$ at the target ${target}$"
    else:
        told = f"REPO with $beta = {number(fraction(rule, 'coefficient'), up=True)}$"
    divided = ", rewards divided by their standard deviation" if document["normalised"] is True else ""
    where = f"probability ${number(start, up=True)}$ of {actions} actions"
    bound = number(fraction(claim["bound"], "bound"), up=side == "below")
    return Statement(
        "entropy-run",
        say("Run certificate: the entropy after a number of steps"),
        say(f"Consider exact-gradient steps of size ${number(step, up=True)}$ on rewards $(1, 0, ..., 0)$ from "
            f"{where}, with {told}{divided}."),
        (("steps", say(f"{after} of size ${number(step, up=True)}${divided}")), ("start", say(where)),
         ("rule", say(told))),
        items(say(f"After {after} steps the entropy is {side} ${bound}$.")),
        proof=items(say("The run is recomputed in interval arithmetic, step by step.")),
        assumptions=items(say("Exact gradients; all other actions begin with equal probabilities.")),
        limits=items(say("Other rewards, other starts, sampled gradients.")),
    )  # fmt: skip


def table(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-table" states."""
    name = document["claim"]["format"]
    listed = [len(document[key]) for key in ("cells", "binades", "counted", "decisions")]
    rows = []
    for row in document["binades"][:_MOST_ROWS]:
        exponent = whole(row["exponent"], "exponent")
        ends = [enclosure(row[key], key, 9) for key in ("one_side", "both_sides")]
        spacing = number(fraction(row["spacing"], "spacing"), up=True)
        rows.append((say(f"${exponent}$"), say(f"${spacing}$"), *(say(f"${end}$") for end in ends)))
    head = (say("binade"), say("spacing"), say("mean factor, one side rounded"), say("both sides rounded"))
    return Statement(
        "entropy-table",
        say("Rounding certificate of {=} log-probabilities", name),
        say("Consider log-probabilities at most 0 stored in {=}, and importance ratios made of them.", name),
        (("format", say("{=}", name)), ("values at most 0", say(f"{whole(document['nonpositive'], 'nonpositive')}"))),
        (
            Item(
                say(f"Every entry of the rounding table holds: {listed[0]} shapes of rounding cells, {listed[1]} "
                    f"binades, {listed[2]} of them counted over all float32 numbers, {listed[3]} clip ranges."),
            ),
        ),
        proof=items(say("Every entry is recomputed from the format's definition.")),
        assumptions=items(
            say("The binade factors are about rounding errors that are uniform on a cell; the counted ones are not."),
        ),
        limits=items(say("Which log-probabilities occur in training, and how often.")),
        tables=(Table(say("Mean factors on a ratio by binade"), head, tuple(rows)),),
    )  # fmt: skip


def flow(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-flow" states."""
    alpha = fraction(document["alpha"], "alpha")
    claimed = document["claim"]["rows"]
    named = named_rows(document, document["policy"], clustering=False)
    rows = []
    for row, given in zip(named[:_MOST_ROWS], claimed, strict=False):
        ends = [enclosure(given[key], key, 7) for key in ("entropy", "rate")]
        rows.append((row.sentence, *(say(f"${end}$") for end in ends)))
    return Statement(
        "entropy-flow",
        say("Entropy-flow certificate for the game {}", document["game"]["name"]),
        setting(document),
        (*subject(document), ("temperature", say(f"$alpha = {number(alpha, up=True)}$"))),
        items(
            say(f"The entropies of {len(claimed)} histories, and how fast each changes along the gradient flow at "
                f"$alpha = {number(alpha, up=True)}$, lie in the enclosures given."),
        ),
        proof=items(say("Entropies and gradients at the policy are recomputed in interval arithmetic.")),
        assumptions=items(
            say("The policy is exactly the one restated inside the certificate; the flow follows the exact gradient."),
        ),
        limits=items(say("Later times: the rates are those at this policy.")),
        tables=(Table(say("By history"), (say("history"), say("entropy in"), say("rate in")), tuple(rows)),),
        game=document["game"],
    )  # fmt: skip


def batch(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "entropy-batch" states."""
    claim, sizes = document["claim"], document["batch"]
    sums = {key: whole(value, key) for key, value in claim["sums"].items()}
    recipe, leaves = sizes["recipe"], -(-whole(sizes["tokens"], "tokens") // whole(sizes["block"], "block"))
    checked = len(document["sample"])
    whole_batch = checked >= leaves
    share = (
        "every token is verified" if whole_batch else f"{checked} of {leaves} blocks, drawn by the digest, are verified"
    )
    claims = [say(f"{sums['active']} tokens are trained on; to first order {sums['up']} of them raise the entropy, "
                  f"{sums['down']} lower it, {sums['undecided']} are undecided.")]  # fmt: skip
    for name, key in (("total entropy", "entropy"), ("total first-order change", "change")):
        if f"{key}_low" in sizes["fields"]:
            low, high = (Fraction(sums[f"{key}_{end}"], _UNITS) for end in ("low", "high"))
            claims.append(say(f"Their {name} lies in ${interval(low, high)}$."))
    claims.append(
        say(f"Clip decisions: {sums['kept']} kept, {sums['cut']} cut, {sums['ambiguous']} ambiguous under rounding.")
    )
    of = (
        "Of all tokens:"
        if whole_batch
        else f"As committed to; of {leaves} blocks {checked}, drawn by the digest, are verified:"
    )
    return Statement(
        "entropy-batch",
        say("Batch certificate of {=} tokens, recipe {=}", whole(sizes["tokens"], "tokens"), recipe.get("name")),
        say("Consider the batch of tokens committed to by the digest below, and the recipe stated in the certificate."),
        (("recipe", say("{=}", recipe.get("name"))),
         ("settings", say(", ".join(["{=} = {=}"] * len(recipe)), *chain.from_iterable(sorted(recipe.items())))),
         ("digest", digest(claim["digest"]))),
        (Item(say(of), items(*claims)),),
        proof=items(say(f"A Merkle tree commits to all tokens and sums; {share}.")),
        assumptions=items(
            say("Advantages, log-ratios and stored entropies are data: the digest commits to them."),
            *([] if whole_batch else [say("The totals are those of the committed blocks; unsampled blocks are "
                                                "trusted as far as sampling goes.")]),
        ),
        limits=items(say("Anything about the update of the parameters beyond first order in the logits.")),
    )  # fmt: skip
