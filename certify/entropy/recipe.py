"""What a trainer does to a batch, as data: advantage × ratio × clip × correction × aggregation × KL × bonus ×
token mask (docs/recipes.md).  Nothing is computed here; `token_steps` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from certify.errors import InputError
from certify.exact import parse_rational, rational_text

_FIFTH = Fraction(1, 5)
CHOICES: Mapping[str, tuple[str, ...]] = {
    "advantage": ("given", "reinforce", "rloo", "grpo", "reinforce++", "reinforce++-baseline"),
    "std": ("none", "sample", "population", "batch"),
    "transform": ("none", "repo", "repo-d", "repo-r"),
    "ratio": ("token", "sequence", "full"),
    "clip": ("none", "ppo", "cispo", "cispo-cap"),
    "correction": ("none", "tis", "icepop"),
    "aggregation": ("token-mean", "sequence-mean", "sequence-sum", "constant", "sum"),
    "kl": ("none", "k1", "k2", "k3"),
    "kl_in": ("loss", "reward", "reward-to-go"),
    "mask": ("none", "top-entropy", "clip-cov", "kl-cov"),
    "entropy_weight": ("sum", "mean"),
}
POSITIVE = ("dual", "cap", "tis_cap", "icepop_low", "icepop_high", "constant", "mask_share", "clamp")
NON_NEGATIVE = ("eps_high", "delta", "kl_coefficient", "mask_coefficient")


@dataclass(frozen=True)
class Recipe:
    """One update rule; every field is a choice of `CHOICES`, a number, or None for "not used".

    The loss is Σ_t w_t min(ρ_t Â_t, clip(ρ_t) Â_t) and what is added to it; see docs/recipes.md for each field.

    >>> find_recipe("trl", {"eps_high": "0.28"}).eps_high
    Fraction(7, 25)
    """

    name: str
    source: str
    advantage: str = "grpo"
    std: str = "sample"
    delta: Fraction = Fraction(1, 10**6)
    equal_groups: bool = False
    transform: str = "none"
    zeta: Fraction = Fraction(1, 100)
    beta: Fraction = Fraction(0)
    clamp: Fraction | None = None
    ratio: str = "token"
    clip: str = "ppo"
    eps_low: Fraction = _FIFTH
    eps_high: Fraction = _FIFTH
    dual: Fraction | None = None
    cap: Fraction = Fraction(5)
    correction: str = "none"
    tis_cap: Fraction = Fraction(2)
    icepop_low: Fraction = Fraction(1, 2)
    icepop_high: Fraction = Fraction(5)
    aggregation: str = "token-mean"
    constant: Fraction = Fraction(1)
    kl: str = "none"
    kl_in: str = "loss"
    kl_coefficient: Fraction = Fraction(0)
    bonus: Fraction = Fraction(0)
    mask: str = "none"
    mask_share: Fraction = _FIFTH
    mask_coefficient: Fraction = Fraction(1)
    cov_low: Fraction = Fraction(1)
    cov_high: Fraction = Fraction(5)
    entropy_weight: str = "sum"

    def to_json(self) -> dict[str, Any]:
        """Every field, numbers as exact "p/q" strings: what the digest of a batch commits to."""
        return {f.name: _text(getattr(self, f.name)) for f in fields(self) if f.name != "source"}


def _text(value: Any) -> Any:
    return rational_text(value) if isinstance(value, Fraction) else value


_TINY = Fraction(1, 10**6)
RECIPES: Mapping[str, Recipe] = {
    r.name: r
    for r in (
        Recipe("verl", "verl 0.5, adv_estimator=grpo, trainer/config and core_algos.py", delta=_TINY, dual=Fraction(3)),
        Recipe("trl", "TRL 0.23, GRPOConfig and GRPOTrainer", delta=Fraction(1, 10**4), equal_groups=True),
        Recipe(
            "skyrl",
            "SkyRL-Train 0.2, ppo_base_config.yaml and ppo_utils.py",
            delta=_TINY,
            kl="k3",
            kl_coefficient=Fraction(1, 1000),
        ),
        Recipe(
            "openrlhf",
            "OpenRLHF 0.7, advantage_estimator=reinforce (REINFORCE++), PolicyLoss",
            advantage="reinforce++",
            std="population",
            kl="k1",
            kl_in="reward-to-go",
            kl_coefficient=Fraction(1, 100),
        ),
        Recipe(
            "reinforce", "Williams 1992", advantage="reinforce", std="none", clip="none", aggregation="sequence-sum"
        ),
        Recipe(
            "rloo",
            "Ahmadian et al. 2024, arXiv 2402.14740; the ratio of the whole sequence, clipped",
            advantage="rloo",
            std="none",
            ratio="full",
            aggregation="sequence-sum",
        ),
        Recipe(
            "grpo",
            "Shao et al. 2024, arXiv 2402.03300, as trainers run it: sample deviation, delta 1e-4",
            delta=Fraction(1, 10**4),
            aggregation="sequence-mean",
            kl="k3",
            kl_coefficient=Fraction(1, 25),
        ),
        Recipe(
            "grpo-population",
            "Shao et al. 2024 read literally: population deviation, no delta",
            std="population",
            delta=Fraction(0),
            aggregation="sequence-mean",
        ),
        Recipe(
            "dr-grpo",
            "Liu et al. 2025, arXiv 2503.20783: no deviation, one constant for the length",
            std="none",
            aggregation="constant",
        ),
        Recipe("dapo", "Yu et al. 2025, arXiv 2503.14476: asymmetric clip, token mean", eps_high=Fraction(7, 25)),
        Recipe(
            "gspo",
            "Zheng et al. 2025, arXiv 2507.18071: the ratio of the sequence to the power 1/length",
            ratio="sequence",
            eps_low=Fraction(3, 10000),
            eps_high=Fraction(4, 10000),
            aggregation="sequence-mean",
        ),
        Recipe(
            "cispo",
            "MiniMax 2025, arXiv 2506.13585: the weight is clipped, the gradient is not",
            clip="cispo",
            eps_low=Fraction(1),
            eps_high=Fraction(4),
        ),
        Recipe("cispo-cap", "ScaleRL, Khatri et al. 2025, arXiv 2510.13786: min(ratio, cap)", clip="cispo-cap"),
        Recipe(
            "reinforce++",
            "Hu 2025, arXiv 2501.03262: advantages whitened over the tokens of the batch",
            advantage="reinforce++",
        ),
        Recipe(
            "repo-d",
            "arXiv 2603.11682 on GRPO: A − βL with β = ζ times the batch's first-order loss",
            transform="repo-d",
        ),
        Recipe(
            "repo-r", "arXiv 2603.11682 on GRPO: advantages rescaled by log π", transform="repo-r", clamp=Fraction(20)
        ),
    )
}


def find_recipe(name: str, given: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of that name with some fields changed; `InputError` lists names, fields or choices otherwise."""
    if name not in RECIPES:
        raise InputError("--recipe", f"{name!r} is unknown", f"use one of {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    known = [f.name for f in fields(Recipe) if f.name not in ("name", "source")]
    changes: dict[str, Any] = {}
    for key, value in (given or {}).items():
        if key not in known:
            raise InputError("--param", f"{key!r} is no field of a recipe", f"the fields are {', '.join(known)}")
        changes[key] = _read(key, value)
    return _sensible(replace(recipe, **changes))


def _read(key: str, value: Any) -> Any:
    where = f"--param {key}"
    if key in CHOICES:
        if value not in CHOICES[key]:
            raise InputError(where, f"{value!r}", f"use one of {', '.join(CHOICES[key])}")
        return value
    if key == "equal_groups":
        if str(value).lower() not in ("true", "false", "0", "1"):
            raise InputError(where, f"{value!r}", "use true or false")
        return str(value).lower() in ("true", "1")
    if key in ("dual", "clamp") and str(value) == "none":
        return None
    number = parse_rational(value, where)
    if key in POSITIVE and number <= 0:
        raise InputError(where, f"{number} is not positive", "use a number above 0")
    if key in NON_NEGATIVE and number < 0:
        raise InputError(where, f"{number} is negative", "use a number that is at least 0")
    if key in ("eps_low", "mask_share") and not 0 <= number <= 1:
        raise InputError(where, f"{number}", "use a number from 0 to 1")
    return number


def _sensible(recipe: Recipe) -> Recipe:
    if recipe.dual is not None and recipe.dual <= 1 + recipe.eps_high:
        raise InputError("--param dual", f"{recipe.dual} is at most 1 + eps_high", "use a larger constant, or none")
    if recipe.icepop_low > recipe.icepop_high:
        raise InputError("--param icepop_low", "above icepop_high", "write the smaller limit as icepop_low")
    return recipe
