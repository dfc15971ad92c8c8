"""Cross-play certificates in words (docs/certificate-format.md, section 9)."""

from __future__ import annotations

from typing import Any

from certify.certificates.markup import Sentence, number, say
from certify.certificates.reading_game import assumptions, enclosure, fraction, setting, subject, whole
from certify.certificates.reading_objective import words_of
from certify.certificates.statement import Item, Statement, items

_MOST = 200  # teams on a page


def crossplay(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "crossplay" states; raises `KeyError` and the like for a damaged one."""
    claim = document["claim"]
    alpha = fraction(claim["alpha"], "alpha")
    teams = claim["teams"]
    listed = [_team(team) for team in teams[:_MOST]]
    if len(teams) > _MOST:
        listed.append(say(f"and {len(teams) - _MOST} more teams, in the file"))
    return Statement(
        "crossplay",
        say("Cross-play certificate for the game {}", document["game"]["name"]),
        setting(document),
        subject(document),
        (
            Item(
                say(f"At $alpha = {number(alpha, up=True)}$, with {words_of(document).bonus} beside the return in $J$, "
                    f"{len(document['proof']['policies'])} stationary policies are enclosed; teams made of their "
                    "agents earn"),
                items(*listed),
            ),
        ),
        items(
            say("Where replacing one agent changes $J$, the two policies differ: independent runs may end in either."),
        ),
        items(
            say("A box of log-ratios for every policy, each with a Krawczyk step that shows exactly one stationary "
                "policy in it; returns of teams recomputed backwards from the boxes."),
        ),
        assumptions(document),
        items(
            say("How likely each limit is; anything about other temperatures or further stationary policies."),
        ),
        game=document["game"],
    )  # fmt: skip


def _team(team: dict[str, Any]) -> Sentence:
    numbers = [whole(k, "policies") + 1 for k in team["policies"]]
    runs, own = ", ".join(map(str, numbers)), " (self-play)" if len(set(numbers)) == 1 else ""
    earned, value = (enclosure(team[key], "team") for key in ("return", "J"))
    return say(f"agents from runs {runs}{own}: return in ${earned}$, $J$ in ${value}$")
