"""Advantages, ratios, clip decisions and gradients equal those of public trainers' losses (autograd, float64)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from certify.entropy.dump import Column, Dump
from certify.entropy.recipe import RECIPES, find_recipe
from certify.entropy.rows import plain_figures
from certify.entropy.token_clips import AMBIGUOUS, CUT, KEPT
from certify.entropy.token_steps import token_steps
from certify.errors import InputError

torch = pytest.importorskip("torch", reason="the oracles are gradients by torch: pip install torch")
from entropy_trainers import ORACLES, Batch  # noqa: E402

torch.set_num_threads(1)

CASES, ALL_CASES = 10, 200
CLOSE = 1e-9


def as_dump(batch: Batch, recipe) -> Dump:
    columns = {
        "token_id": batch.token,
        "logp_train": batch.logp,
        "logp_old": batch.old,
        "logp_ref": batch.ref,
        "logp_sampler": batch.sampler,
        "reward": batch.reward[batch.sequence],
        "mask": batch.mask.astype(np.int64),
        "seq_id": batch.sequence,
        "group_id": batch.group,
    }
    if recipe.name == "reinforce":
        del columns["logp_old"]
    return Dump(Path("batch"), len(batch.token), {k: Column(v, None) for k, v in columns.items()}, None)


def compare(name: str, seed: int) -> None:
    recipe_name, parameters, oracle = ORACLES[name]
    recipe = find_recipe(recipe_name, parameters)
    batch = Batch(seed)
    dump = as_dump(batch, recipe)  # before an oracle changes rewards
    z, advantage, loss = oracle(batch)
    loss.backward()
    figures = plain_figures(batch.logits, batch.token)
    steps = token_steps(dump, recipe, figures)
    assert np.abs(np.where(batch.mask, steps.advantage.mid - advantage.numpy(), 0)).max() <= CLOSE
    # −∇loss = c (e_k − π) + τ ∇H, ∇H = −π∘L
    log_pi = torch.log_softmax(torch.tensor(batch.logits), dim=-1)
    pi = log_pi.exp()
    entropy = -(pi * log_pi).sum(-1, keepdim=True)
    one = torch.nn.functional.one_hot(torch.tensor(batch.token), pi.shape[1])
    step = torch.tensor(steps.coefficient.mid)[:, None] * (one - pi)
    step = step - torch.tensor(steps.bonus.mid)[:, None] * pi * (log_pi + entropy)
    sure = np.ones(len(batch.token), dtype=bool) if steps.decision is None else steps.decision != AMBIGUOUS
    assert np.abs((step + z.grad).numpy()[sure]).max(initial=0) <= CLOSE
    if steps.ratio is not None and recipe.ratio == "token":
        ratio = np.exp(batch.logp - batch.old)
        assert (np.abs(steps.ratio.low - ratio) <= CLOSE * ratio).all()
        if recipe.clip == "ppo":
            a = advantage.numpy()
            cut = ((a > 0) & (ratio > 1 + float(recipe.eps_high))) | ((a < 0) & (ratio < 1 - float(recipe.eps_low)))
            if recipe.dual is not None:
                cut |= (a < 0) & (ratio > float(recipe.dual))
            assert ((steps.decision == CUT) == cut)[sure].all() and ((steps.decision == KEPT) == ~cut)[sure].all()
    assert sure.all()


@pytest.mark.parametrize("name", ORACLES)
def test_gradients_are_those_of_the_trainer(name: str) -> None:
    for seed in range(CASES):
        compare(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ORACLES)
def test_gradients_are_those_of_the_trainer_on_200_batches(name: str) -> None:
    for seed in range(CASES, ALL_CASES):
        compare(name, seed)


def test_every_recipe_has_an_oracle_or_a_test_of_its_own() -> None:
    assert {r for r, _, _ in ORACLES.values()} == set(RECIPES)


def test_clip_cov_leaves_out_what_was_drawn() -> None:
    """Tokens in the band lose their gradient where `selected` says so; without the column they may or may not."""
    for seed in range(CASES):
        batch = Batch(seed)
        recipe = find_recipe("verl", {"mask": "clip-cov", "clip": "none", "cov_low": "1/10", "cov_high": "5"})
        plain = token_steps(as_dump(batch, recipe), find_recipe("verl", {"clip": "none"}))
        a, logp = plain.advantage.mid[batch.mask], batch.logp[batch.mask]
        band = np.zeros(len(batch.mask), dtype=bool)
        covariance = (a - a.mean()) * (logp - logp.mean())
        band[batch.mask] = (covariance >= 0.1) & (covariance <= 5)
        dump = as_dump(batch, recipe)
        found = token_steps(dump, recipe).coefficient
        low, high = found.mid - found.rad, found.mid + found.rad
        c = plain.coefficient.mid
        assert (low <= np.minimum(c, 0) + 1e-15)[band].all() and (high >= np.maximum(c, 0) - 1e-15)[band].all()
        assert np.abs(found.mid - c)[~band].max() <= CLOSE
        drawn = band & (np.arange(len(band)) % 2 == 0)
        columns = {**dump.columns, "selected": Column(drawn.astype(np.int64), None)}
        chosen = token_steps(Dump(dump.path, dump.tokens, columns, None), recipe).coefficient
        assert np.abs(chosen.mid - np.where(drawn, 0.0, c)).max() <= CLOSE


def test_a_wrong_delta_is_seen() -> None:
    """The comparison bites: TRL's δ under verl's name misses by more than the tolerance."""
    recipe = find_recipe("verl", {"delta": "1e-4"})
    batch = Batch(1)
    _, advantage, _ = ORACLES["verl"][2](batch)
    steps = token_steps(as_dump(batch, recipe), recipe)
    assert np.abs(steps.advantage.mid - advantage.numpy()).max() > 1e-6


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("verll", {}, "unknown"),
        ("verl", {"eps": "0.2"}, "no field"),
        ("verl", {"clip": "soft"}, "use one of"),
        ("verl", {"eps_low": "2"}, "0 to 1"),
        ("verl", {"dual": "1"}, "larger constant"),
        ("verl", {"delta": "-1"}, "negative"),
        ("verl", {"tis_cap": "0"}, "not positive"),
        ("verl", {"equal_groups": "maybe"}, "true or false"),
        ("verl", {"icepop_low": "9"}, "smaller limit"),
    ],
)
def test_recipes_that_make_no_sense(name: str, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_recipe(name, given)
