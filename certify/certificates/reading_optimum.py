"""Optimum certificates in words (docs/certificate-format.md, section 8)."""

from __future__ import annotations

from typing import Any

from certify.certificates.markup import Sentence, counted, interval, number, say
from certify.certificates.reading_game import Row, assumptions, enclosure, fraction, named_rows, setting, subject
from certify.certificates.reading_objective import words_of
from certify.certificates.statement import Item, Statement, Table, items
from certify.exact import significant_text

_MOST_ROWS = 200  # of a table on a page
_MOST_PIECES = 200


def optimum(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "optimum" states; raises `KeyError` and the like for a damaged one."""
    claim, proof = document["claim"], document["proof"]
    low, high = (fraction(end, "alpha") for end in claim["alpha"])
    at = f"$alpha = {number(low, up=True)}$" if low == high else f"every $alpha in {interval(low, high)}$"
    star = fraction(proof["threshold"]["claim"]["alpha_star"], "alpha_star")
    named = named_rows(document, claim["pieces"][0]["policy"])
    claims = [_branch(claim["branch"], at), *_values(claim, words_of(document).bonus, single=low == high)]
    if claim["rate"] is not None:
        rate = significant_text(fraction(claim["rate"], "rate"), 9, up=False)
        flow = "softmax flow" if words_of(document).flows else "plain flow, once near,"
        claims.append(Item(say(f"The {flow} approaches it at an exponential rate of at least ${rate}$.")))
        if "ascent" in proof["threshold"]["claim"]:
            claims.append(
                Item(say("Gradient ascent with the step of the threshold inside, by 1 less step times rate."))
            )
    if claim["greedy"] is not None:
        claims.append(greedy_policy(claim["greedy"], named))
    generators = len(proof["generators"])
    return Statement(
        "optimum",
        say(f"Optimum certificate at {at} for the game {{}}", document["game"]["name"]),
        setting(document),
        subject(document),
        tuple(claims),
        _follows(document),
        items(
            say(f"Uniqueness from $alpha* = {number(star, up=True)}$ on by the threshold certificate inside."),
            say(f"{counted(len(proof['pieces']), 'box', 'boxes')} of log-ratios, each with a proof that it holds "
                "exactly one stationary policy (a Krawczyk step, or exact stationarity of the uniform policy)."),
            *([say(f"{counted(generators, 'automorphism')} of the game behind the ties.")] if generators else []),
        ),
        assumptions(document),
        items(
            say("How fast or whether a sampled, large-step or function-approximating algorithm comes near it."),
            *([] if claim["branch"] == "unique" else [say("That no other stationary policies exist.")]),
        ),
        tables=(_policy(claim["pieces"], named),),
        game=document["game"],
    )  # fmt: skip


def _branch(branch: Any, at: str) -> Item:
    if branch == "unique":
        return Item(say(f"At {at} there is exactly one stationary policy, and it lies in the boxes given."))
    return Item(
        say(f"At {at} the branch of stationary policies that continues the unique one of large temperatures, and "
            "nowhere degenerates, lies in the boxes given. Other stationary policies may exist."),
    )  # fmt: skip


def _follows(document: dict[str, Any]) -> tuple[Item, ...]:
    if document["claim"]["branch"] != "unique" or not words_of(document).flows:
        return ()
    return items(
        say("Every trajectory of the softmax policy-gradient flow converges to it, from every initialisation "
            "(Theorem A)."),
    )  # fmt: skip


def _values(claim: dict[str, Any], bonus: str, *, single: bool) -> list[Item]:
    found = []
    for piece in claim["pieces"][:_MOST_PIECES]:
        ends = {
            name: enclosure(piece[key], key, 9)
            for name, key in (("$J$", "value"), ("return", "return"), (bonus, "entropy"))
        }
        values = ", ".join(f"{name} in ${shown}$" for name, shown in ends.items())
        low, high = (fraction(end, "alpha") for end in piece["alpha"])
        found.append(say(values if single else f"for $alpha in {interval(low, high)}$: {values}"))
    left = len(claim["pieces"]) - _MOST_PIECES
    if single:
        return list(items(*(say("There ") + s + say(".") for s in found)))
    more = items(say(f"and {left} more intervals, in the file")) if left > 0 else ()
    start = say(f"Enclosures on {len(claim['pieces'])} intervals of temperatures that leave none out:")
    return [Item(start, (*items(*found), *more), folded=len(found) > 40)]


def greedy_policy(greedy: dict[str, Any], named: list[Row]) -> Item:
    """The most probable actions of every row, and what they earn."""
    ties = sum(len(row["actions"]) > 1 for row in greedy["rows"])
    exact = greedy["return"]
    told = (
        "not claimed (a tie is undecided)"
        if exact is None
        else f"exactly ${number(fraction(exact, 'return'), 12, up=False)}$"
        if len(str(exact)) <= 24
        else f"in ${interval(fraction(exact, 'return'), fraction(exact, 'return'))}$"
    )
    rows = []
    for row, given in zip(named, greedy["rows"], strict=True):
        best = [row.actions[a] for a in given["actions"]]
        gap = "" if given["gap"] is None else significant_text(fraction(given["gap"], "gap"), 4, up=False)
        tied = "" if len(best) == 1 else " (tied by symmetry)" if given["tied"] is True else " (undecided)"
        ahead = f", ahead by at least ${gap}$" if gap else ""
        rows.append(row.sentence + say(": " + " or ".join(["{}"] * len(best)) + tied + ahead, *best))
    start = say(f"Greedy policy: {ties} of {counted(len(rows), 'row')} with ties; its return is {told}.")
    return Item(start, items(*rows[:_MOST_ROWS]), folded=len(rows) > 12)


def _policy(pieces: list[dict[str, Any]], named: list[Row]) -> Table:
    rows: list[tuple[Sentence, ...]] = []
    for x, row in enumerate(named[:_MOST_ROWS]):
        for a, action in enumerate(row.actions):
            ends = [[fraction(end, "probability") for end in piece["policy"][x][a]] for piece in pieces]
            hull = min(e[0] for e in ends), max(e[1] for e in ends)
            rows.append((row.sentence, say("{}", action), say(f"${interval(*hull)}$")))
    title = "The policy" if len(pieces) == 1 else "The policy, over all temperatures together"
    if len(named) > _MOST_ROWS:
        title += f" (the first {_MOST_ROWS} of {len(named)} rows)"
    return Table(say(title), (say("at"), say("action"), say("probability in")), tuple(rows))
