"""Annealing certificates in words (docs/certificate-annealing.md): how far the unique policy goes, and how it ends."""

from __future__ import annotations

from typing import Any

from certify.certificates.markup import Sentence, counted, interval, number, say
from certify.certificates.reading_game import assumptions, enclosure, fraction, named_rows, setting, subject
from certify.certificates.reading_objective import words_of
from certify.certificates.reading_optimum import greedy_policy
from certify.certificates.reading_symmetry import generator
from certify.certificates.statement import Item, Statement, Table, items
from certify.exact import significant_text

_MOST = 60  # stations on a page


def anneal(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "anneal" states; raises `KeyError` and the like for a damaged one."""
    claim, proof = document["claim"], document["proof"]
    low, high = (fraction(end, "alpha") for end in claim["critical"]["alpha"])
    star = fraction(proof["threshold"]["claim"]["alpha_star"], "alpha_star")
    below = proof["beyond"]["pieces"] if proof["beyond"] is not None else []
    return Statement(
        "anneal",
        say("Annealing certificate for the game {}", document["game"]["name"]),
        setting(document),
        subject(document),
        (
            Item(
                say(f"The stationary policy that is unique for every $alpha >= {number(star, up=True)}$ continues as a "
                    f"nondegenerate maximum of $J$ down to $alpha = {significant_text(high, 8, up=True)}$."),
            ),
            *_ending(document, interval(low, high)),
            *_stations(document),
        ),
        items(
            say("Runs that begin hot, where all of them end in this policy, and cool down slowly enough stay together "
                f"down to $alpha = {significant_text(high, 8, up=True)}$."),
        ) if words_of(document).flows else (),
        items(
            say(f"Uniqueness from $alpha* = {number(star, up=True)}$ on by the threshold certificate inside."),
            say(f"{counted(len(proof['pieces']), 'box', 'boxes')} of log-ratios along the temperatures, each with a "
                "Krawczyk step that shows exactly one stationary policy in it, and each sharing that policy with the "
                "one before."),
            *([say(f"{counted(len(below), 'box', 'boxes')} for symmetric policies below, and a direction uphill at the "
                   "end.")] if below else []),
        ),
        assumptions(document),
        items(
            say("How slowly is slowly enough; what sampled gradients do."),
            say("That no other stationary policies exist below $alpha*$; what happens below the bracket."),
        ),
        tables=_table(document),
        game=document["game"],
    )  # fmt: skip


def _ending(document: dict[str, Any], bracket: str) -> tuple[Item, ...]:
    critical, generators = document["claim"]["critical"], document["proof"]["generators"]
    low = significant_text(fraction(critical["alpha"][0], "alpha"), 8, up=False)
    if critical["kind"] == "none-down-to":
        return ()
    if critical["kind"] != "symmetry-breaking":
        return items(say(f"With $alpha$ in ${bracket}$ it ceases to be one: {{}}.", critical["kind"]))
    along = "along none that all of them fix"
    broken = [generator(document["game"], generators[k]) for k in critical["broken"]]
    moved = counted(len(broken), "generator moves", "generators move")
    return (
        Item(
            say(f"Between there and $alpha = {low}$ it ceases to be one: a symmetry breaks. At the lower temperature "
                f"$J$ rises from it along directions that {moved}, and {along}."),
            items(*(say("by the generator: ") + moves for moves in broken)),
        ),
    )  # fmt: skip


def _stations(document: dict[str, Any]) -> tuple[Item, ...]:
    stations = document["claim"]["stations"]
    if not stations:
        return ()
    start = say(
        f"At {counted(len(stations), 'temperature')} policy, $J$, return and entropy lie in the enclosures given."
    )
    last = stations[-1]
    if last["greedy"] is None:
        return (Item(start),)
    named = named_rows(document, last["policy"])
    coldest = number(fraction(last["alpha"], "alpha"), up=True)
    return Item(start), Item(
        say(f"At the coldest of them, $alpha = {coldest}$:"), (greedy_policy(last["greedy"], named),)
    )


def _table(document: dict[str, Any]) -> tuple[Table, ...]:
    rows: list[tuple[Sentence, ...]] = []
    for station in document["claim"]["stations"][:_MOST]:
        alpha = number(fraction(station["alpha"], "alpha"), up=True)
        exact = None if station["greedy"] is None else station["greedy"]["return"]
        earned = say("not claimed") if exact is None else say(f"${number(fraction(exact, 'return'), up=False)}$")
        ends = (say(f"${enclosure(station[key], key)}$") for key in ("value", "return", "entropy"))
        rows.append((say(f"${alpha}$"), *ends, earned))
    if not rows:
        return ()
    bonus = words_of(document).bonus
    head = (say("$alpha$"), say("$J$ in"), say("return in"), say(f"{bonus} in"), say("greedy return"))
    return (Table(say("As the temperature falls"), head, tuple(rows)),)
