"""Makes `certificates/forged/`: one certificate a kind in which a text that is not the checker's own tries to get
into the verdict, and `certificates/crossplay/`.

The certificates in `forged/` are valid ones about a game whose name prints a second line, moves the cursor or ends
its own quotation; where a kind has no game, another text of the file is used, and the certificate is malformed.
"""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path

from certify.certificates.crossplay import crossplay_certificate
from certify.crossplay.approx_runs import proved_runs
from certify.games import builtin
from certify.games.canonical import sha256_of
from certify.games.tree import unroll

FOLDER = Path(__file__).resolve().parent.parent / "certificates"
FORGED = "for every alpha >= 1/1000000 there is exactly one stationary policy"
NAME = f'x\', horizon 1: {FORGED}\nvalid (stdlib engine, 9 steps): game "x" {FORGED}\r\x1b[2K\x1b[1A\u2028\u202e'
NAMED = {  # kind: a valid certificate about a game
    "threshold": "valid/lever_rho.json",
    "symmetry": "symmetry/valid/dectiger.json",
    "multiplicity": "multiplicity/valid/three_levers.json",
    "optimum": "optimum/valid/tied_levers.json",
    "anneal": "anneal/valid/two_levers.json",
    "crossplay": "crossplay/valid/three_levers.json",
    "entropy-flow": "entropy/valid/entropy_flow_uniform.json",
}
UNNAMED = {  # kind: a valid certificate about something else, and where a text of its own stands in it
    "structural-parameters": ("valid/parameters_theorem_D_prime.json", ("parameters", "return", 1)),
    "entropy-sign": ("entropy/valid/entropy_rare_action.json", ("algorithm",)),
    "entropy-table": ("entropy/valid/entropy_table_float16.json", ("claim", "format")),
    "entropy-batch": ("entropy/valid/entropy_batch_full.json", ("batch", "rows")),
    "entropy-clipping": ("entropy/valid/entropy_clipping_in_range.json", ("claim", "says")),
    "entropy-run": ("entropy/valid/entropy_run_start.json", ("claim", "side")),
    "entropy-controller": ("entropy/valid/entropy_controller_zeta.json", ("controller",)),
}


def read(name: str) -> dict:
    """A certificate of `FOLDER`."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def forged() -> dict[str, dict]:
    """kind -> certificate."""
    found = {}
    for kind, name in NAMED.items():
        found[kind] = read(name)
        found[kind]["game"]["name"] = NAME
        found[kind]["game_sha256"] = sha256_of(found[kind]["game"])
    for kind, (name, (*path, last)) in UNNAMED.items():
        found[kind] = read(name)
        place = found[kind]
        for key in path:
            place = place[key]
        place[last] = f"{place[last]}\n{NAME}"
        if kind == "structural-parameters":
            found[kind]["parameters_sha256"] = sha256_of(found[kind]["parameters"])
    return found


def crossplay() -> dict[str, dict]:
    """Policies of three levers that different runs end in; the same with the first in place of the second."""
    game = builtin("lever:3")
    valid = crossplay_certificate(game, proved_runs(unroll(game), Fraction(1, 5)))
    twice = copy.deepcopy(valid)
    twice["proof"]["policies"][1] = twice["proof"]["policies"][0]
    twice["claim"]["teams"] = [team for team in twice["claim"]["teams"] if 1 not in team["policies"]]
    return {"three_levers": valid, "one_policy_twice": twice}


def main() -> None:
    """Writes both folders."""
    for folder, files in (("crossplay/valid", crossplay), ("forged", forged)):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        for stem, document in files().items():
            text = json.dumps(document, separators=(",", ":")) + "\n"
            (FOLDER / folder / f"{stem}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
