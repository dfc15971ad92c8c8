"""An optimum certificate in words (docs/certificate-format.md, section 8)."""

from __future__ import annotations

from typing import Any

from certify.certificates.reading_objective import words_of
from certify.exact import parse_rational, significant_text


def describe_optimum(document: dict[str, Any]) -> list[str]:
    """Lines about an optimum certificate; raises `KeyError` and the like for a damaged one."""
    game, claim, proof = document["game"], document["claim"], document["proof"]
    low, high = claim["alpha"]
    at = f"alpha = {low}" if low == high else f"every temperature in [{low}, {high}]"
    lines = [
        f"Optimum certificate for the game {game['name']!r}, horizon {game['horizon']}, at {at}",
        f"  game SHA-256 {document['game_sha256']}",
        "",
        "What is claimed",
    ]
    if claim["branch"] == "unique":
        lines.append("  There is exactly one stationary policy, and it lies in the boxes given.")
    else:
        lines += [
            "  The branch of stationary policies that continues the unique one of large temperatures, and nowhere",
            "  degenerates, lies in the boxes given. Other stationary policies may exist.",
        ]
    for piece in claim["pieces"]:
        where = "" if low == high else f"  for alpha in [{piece['alpha'][0]}, {piece['alpha'][1]}]:"
        values = [
            f"{name} in [{significant_text(parse_rational(piece[key][0], key), 9, up=False)}, "
            f"{significant_text(parse_rational(piece[key][1], key), 9, up=True)}]"
            for name, key in (("J", "value"), ("return", "return"), (words_of(document).bonus, "entropy"))
        ]
        lines.append(f"{where}  {', '.join(values)}")
    if claim["rate"] is not None:
        rate = significant_text(parse_rational(claim["rate"], "rate"), 9, up=False)
        lines.append(f"  The softmax flow approaches it at an exponential rate of at least {rate}.")
    greedy = claim["greedy"]
    if greedy is not None:
        ties = sum(len(row["actions"]) > 1 for row in greedy["rows"])
        exact = "not claimed (a tie is undecided)" if greedy["return"] is None else f"exactly {greedy['return']}"
        lines.append(f"  Greedy policy: {ties} of {len(greedy['rows'])} rows have ties; its return is {exact}.")
    return lines + [
        "",
        "How it is proved",
        f"  uniqueness from alpha* = {proof['threshold']['claim']['alpha_star']} on by the threshold "
        "certificate inside;",
        f"  {len(proof['pieces'])} boxes of log-ratios, each with a Krawczyk step that shows exactly one "
        "stationary policy in it;",
        f"  {len(proof['generators'])} automorphisms of the game that explain ties.",
        "",
        "What it does not say",
        "  How fast or whether a sampled, finite-step or function-approximating algorithm comes near it.",
        "",
        "Nothing on this page has been verified; run `certify check`.",
    ]
