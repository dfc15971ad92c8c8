"""A cross-play certificate in words (docs/certificate-format.md, section 9)."""

from __future__ import annotations

from typing import Any

from certify.certificates.reading_objective import words_of
from certify.exact import parse_rational, significant_text


def describe_crossplay(document: dict[str, Any]) -> list[str]:
    """Lines about a cross-play certificate; raises `KeyError` and the like for a damaged one."""
    game, claim = document["game"], document["claim"]
    lines = [
        f"Cross-play certificate for the game {game['name']!r}, horizon {game['horizon']}",
        f"  game SHA-256 {document['game_sha256']}",
        "",
        "What is claimed",
        f"  At alpha = {claim['alpha']}, with {words_of(document).bonus} beside the return in J, "
        f"{len(document['proof']['policies'])} stationary policies are enclosed;",
        "  teams made of their agents earn",
    ]
    for team in claim["teams"]:
        runs = ", ".join(str(k + 1) for k in team["policies"])
        own = " (self-play)" if len(set(team["policies"])) == 1 else ""
        lines.append(f"    agents from runs {runs}{own}: return in {_shown(team['return'])}, J in {_shown(team['J'])}")
    return lines + [
        "",
        "What follows",
        "  Where replacing one agent changes J, the two policies differ: independent runs may end in either.",
        "What it does not say",
        "  How likely each limit is; anything about other temperatures or further stationary policies.",
        "",
        "Nothing on this page has been verified; run `certify check`.",
    ]


def _shown(ends: list[str]) -> str:
    low, high = (parse_rational(end, "team") for end in ends)
    return f"[{significant_text(low, 8, up=False)}, {significant_text(high, 8, up=True)}]"
