"""The commands by task, with one example each, as `certify --help` shows them and the documentation has them run.

Loads no command and nothing heavy: `certify --help` starts fast.
"""

from __future__ import annotations

# task -> {command: example}; a command that is not here is listed last
TASKS = {
    "Certify a game": {
        "threshold": "certify threshold dectiger --horizon 2 --rtol 1/20 -o tiger.cert.json",
        "optimum": "certify optimum dectiger --horizon 2 --alpha 16",
        "anneal": "certify anneal lever:2 --alpha 2:1/4",
        "crossplay": "certify crossplay lever:2 --alpha 1/4",
    },
    "Check and read a certificate": {
        "check": "certify check tiger.cert.json",
        "show": "certify show tiger.cert.json",
        "plot": "certify plot tiger.cert.json -o tiger.png",
        "sign": "certify sign tiger.cert.json --key me.key",
        "export": "certify export --coq lever.cert.json -o lever.v",
    },
    "Look at games and policies": {
        "games": "certify games --aohs dectiger",
        "symmetries": "certify symmetries dectiger --horizon 2",
        "policy": "certify policy lever:2 --alpha 1 trained.json",
    },
    "Entropy of training": {
        "entropy": "certify entropy --policy 1/2,1/2 --advantages 1,-1 --algorithm natural --step 1/10"
    },
    "The papers' claims": {"claims": "certify claims --quick 4a"},
    "This machine": {"compile": "certify compile", "completion": "certify completion bash"},
}
EXAMPLES = {name: example for commands in TASKS.values() for name, example in commands.items()}


def grouped(names: list[str]) -> dict[str, list[str]]:
    """The given commands under their tasks.

    >>> grouped(["claims", "brew", "check"])
    {'Check and read a certificate': ['check'], "The papers' claims": ['claims'], 'More': ['brew']}
    """
    found = {task: [name for name in commands if name in names] for task, commands in TASKS.items()}
    found["More"] = [name for name in names if name not in EXAMPLES]
    return {task: commands for task, commands in found.items() if commands}
