"""The losses of public trainers, re-implemented from their documentation in float64 torch, one function each:
the oracles for `certify.entropy.token_steps`.  Every function returns (advantages per token, loss to minimise).
"""

from __future__ import annotations

import numpy as np
import torch

EPS = {"verl": 1e-6, "skyrl": 1e-6, "trl": 1e-4, "grpo": 1e-4, "dapo": 1e-6, "gspo": 1e-6}


class Batch:
    """A random batch of a few sequences in groups: everything float64."""

    def __init__(self, seed: int, groups: int = 3, size: int = 4, vocabulary: int = 7) -> None:
        rng = np.random.default_rng(seed)
        lengths = rng.integers(1, 4, groups * size)
        self.sequence = np.repeat(np.arange(groups * size), lengths)
        self.group = self.sequence // size
        self.groups, self.size, n = groups, size, int(lengths.sum())
        self.reward = rng.choice([0.0, 1.0, 0.25, -0.5], groups * size)
        self.logits = rng.normal(size=(n, vocabulary)) * rng.choice([0.5, 2.0, 4.0])
        self.token = rng.integers(0, vocabulary, n)
        log_pi = self.logits - np.log(np.exp(self.logits).sum(1, keepdims=True))
        self.logp = log_pi[np.arange(n), self.token]
        noise = rng.choice([0.02, 0.2, 0.6])
        self.old = np.minimum(self.logp + rng.normal(size=n) * noise, 0.0)
        self.ref = np.minimum(self.logp + rng.normal(size=n) * 0.3, 0.0)
        self.sampler = np.minimum(self.old + rng.normal(size=n) * noise, 0.0)
        self.mask = rng.random(n) < 0.9
        self.mask[np.unique(self.sequence, return_index=True)[1]] = True  # no sequence is masked away

    def tensors(self):
        z = torch.tensor(self.logits, dtype=torch.float64, requires_grad=True)
        logp = torch.log_softmax(z, dim=-1)[torch.arange(len(self.token)), torch.tensor(self.token)]
        return z, logp, *(torch.tensor(x) for x in (self.old, self.ref, self.sampler, self.mask.astype(float)))


def by_group(batch: Batch, std: str, delta: float) -> torch.Tensor:
    """(r − mean)/(std + δ) per sequence; torch.std is the sample deviation."""
    rewards = torch.tensor(batch.reward).view(batch.groups, batch.size)
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    if std == "none":
        return centred.flatten()
    if std == "batch":
        return (centred / (rewards.std() + delta)).flatten()
    spread = rewards.std(dim=1, keepdim=True, unbiased=std == "sample")
    found = centred / (spread + delta)
    return torch.where(spread == 0, torch.zeros_like(found), found).flatten()


def leave_one_out(batch: Batch) -> torch.Tensor:
    rewards = torch.tensor(batch.reward).view(batch.groups, batch.size)
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (batch.size - 1)
    return (rewards - others).flatten()


def clipped(ratio, advantage, low, high, dual=None):
    """−min(ρA, clamp(ρ)A), with the dual clip of Ye et al. 2020 where A < 0."""
    first = torch.maximum(-advantage * ratio, -advantage * torch.clamp(ratio, 1 - low, 1 + high))
    if dual is None:
        return first
    return torch.where(advantage < 0, torch.minimum(first, -advantage * dual), first)


def token_mean(loss, mask):
    return (loss * mask).sum() / mask.sum()


def sequence_mean(batch, loss, mask, inner="mean"):
    total = torch.zeros(int(batch.sequence.max()) + 1, dtype=torch.float64)
    index = torch.tensor(batch.sequence)
    sums, lengths = total.index_add(0, index, loss * mask), total.index_add(0, index, mask)
    return (sums / lengths if inner == "mean" else sums).mean()


def k3(logp, ref):
    return torch.exp(ref - logp) - (ref - logp) - 1


def sequence_ratio(batch, logp, old, mask, mean=True):
    total = torch.zeros(int(batch.sequence.max()) + 1, dtype=torch.float64)
    index = torch.tensor(batch.sequence)
    sums = total.index_add(0, index, (logp - old) * mask)
    if mean:
        sums = sums / total.index_add(0, index, mask)
    return torch.exp(sums)[index]


def spread(batch, per_sequence):
    return per_sequence[torch.tensor(batch.sequence)]


def verl(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2, 3.0), mask)


def trl(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-4))
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def skyrl(batch):
    z, logp, old, ref, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    loss = clipped(torch.exp(logp - old), a, 0.2, 0.2) + 0.001 * k3(logp, ref)
    return z, a, token_mean(loss, mask)


def openrlhf(batch):
    z, logp, old, ref, _, mask = batch.tensors()
    penalty = 0.01 * (old - ref) * mask
    returns = torch.zeros_like(penalty)
    for s in np.unique(batch.sequence):
        index = torch.tensor(np.flatnonzero(batch.sequence == s))
        returns[index] = batch.reward[s] - torch.flip(torch.cumsum(torch.flip(penalty[index], [0]), 0), [0])
    mean = (returns * mask).sum() / mask.sum()
    variance = ((returns - mean) ** 2 * mask).sum() / mask.sum()
    a = (returns - mean) * variance.clamp(min=1e-8).rsqrt()
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def reinforce(batch):
    z, logp, _, _, _, mask = batch.tensors()
    a = spread(batch, torch.tensor(batch.reward))
    return z, a, sequence_mean(batch, -a * logp, mask, "sum")


def rloo(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, leave_one_out(batch))
    ratio = sequence_ratio(batch, logp, old, mask, mean=False)
    total = torch.zeros(len(batch.reward), dtype=torch.float64)
    first = torch.tensor(np.unique(batch.sequence, return_index=True)[1])
    return z, a, (clipped(ratio, a, 0.2, 0.2)[first] + total).mean()


def grpo(batch):
    z, logp, old, ref, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-4))
    loss = clipped(torch.exp(logp - old), a, 0.2, 0.2) + 0.04 * k3(logp, ref)
    return z, a, sequence_mean(batch, loss, mask)


def grpo_population(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "population", 0.0))
    return z, a, sequence_mean(batch, clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def dr_grpo(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "none", 0.0))
    return z, a, sequence_mean(batch, clipped(torch.exp(logp - old), a, 0.2, 0.2), mask, "sum")


def dapo(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.28), mask)


def gspo(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    ratio = sequence_ratio(batch, logp, old, mask)
    return z, a, sequence_mean(batch, clipped(ratio, a, 3e-4, 4e-4), mask)


def cispo(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    weight = torch.clamp(torch.exp(logp - old), 0.0, 5.0).detach()
    return z, a, token_mean(-weight * a * logp, mask)


def cispo_cap(batch):
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    weight = torch.clamp(torch.exp(logp - old), max=5.0).detach()
    return z, a, token_mean(-weight * a * logp, mask)


def reinforce_pp(batch):
    z, logp, old, _, _, mask = batch.tensors()
    r = spread(batch, torch.tensor(batch.reward))
    chosen = r[mask > 0]
    a = (r - chosen.mean()) * torch.rsqrt(chosen.var(unbiased=True) + 1e-8)
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def tis(batch):
    """verl with truncated importance sampling on trainer/sampler ratios, cap 2."""
    z, logp, old, _, sampler, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    weight = torch.clamp(torch.exp(old - sampler), max=2.0).detach()
    return z, a, token_mean(weight * clipped(torch.exp(logp - old), a, 0.2, 0.2, 3.0), mask)


def icepop(batch):
    """verl with IcePop: trainer/sampler ratios outside [1/2, 5] are left out."""
    z, logp, old, _, sampler, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    ratio = torch.exp(old - sampler)
    weight = torch.where((ratio >= 0.5) & (ratio <= 5), ratio, torch.zeros_like(ratio)).detach()
    return z, a, token_mean(weight * clipped(torch.exp(logp - old), a, 0.2, 0.2, 3.0), mask)


def bonus(batch):
    """verl with an entropy bonus of 1/100."""
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    log_pi = torch.log_softmax(z, dim=-1)
    entropy = -(log_pi.exp() * log_pi).sum(-1)
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2, 3.0) - 0.01 * entropy, mask)


def batch_std(batch):
    """TRL with scale_rewards="batch"."""
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "batch", 1e-4))
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def k2_loss(batch):
    """GRPO with the estimator k2 in the loss."""
    z, logp, old, ref, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-4))
    loss = clipped(torch.exp(logp - old), a, 0.2, 0.2) + 0.04 * 0.5 * (logp - ref) ** 2
    return z, a, sequence_mean(batch, loss, mask)


def k1_loss(batch):
    """GRPO with the estimator k1 in the loss."""
    z, logp, old, ref, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-4))
    return z, a, sequence_mean(batch, clipped(torch.exp(logp - old), a, 0.2, 0.2) + 0.04 * (logp - ref), mask)


def baseline_pp(batch):
    """REINFORCE++ with the group mean as baseline."""
    z, logp, old, _, _, mask = batch.tensors()
    r = spread(batch, by_group(batch, "none", 0.0))
    chosen = r[mask > 0]
    a = (r - chosen.mean()) * torch.rsqrt(chosen.var(unbiased=True) + 1e-8)
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def kl_in_reward(batch):
    """verl with use_kl_in_reward, estimator k3 of the old policy, coefficient 1/100."""
    z, logp, old, ref, _, mask = batch.tensors()
    total = torch.zeros(len(batch.reward), dtype=torch.float64)
    batch.reward = (
        torch.tensor(batch.reward) - 0.01 * total.index_add(0, torch.tensor(batch.sequence), k3(old, ref) * mask)
    ).numpy()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2, 3.0), mask)


def repo_r(batch):
    """GRPO with REPO-R's rescaled advantages, zeta 1/100, log pi clamped at -20."""
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    log_pi = torch.clamp(logp.detach(), min=-20.0)
    up, down = (a * (1 - 0.01 * log_pi)).clamp(min=0), (a * (1 + 0.01 * log_pi)).clamp(max=0)
    a = torch.where(a > 0, up, down)
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def repo_d(batch):
    """GRPO with A − βL, β = ζ times the mean over tokens of A (π_k L_k − E[πL]), ζ = 1/100."""
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    log_pi = torch.log_softmax(z.detach(), dim=-1)
    pi = log_pi.exp()
    entropy = -(pi * log_pi).sum(-1)
    big_l = log_pi + entropy[:, None]
    own = torch.arange(len(batch.token)), torch.tensor(batch.token)
    slope = pi[own] * big_l[own] - (pi * pi * big_l).sum(-1)
    beta = 0.01 * (a * slope * mask).sum() / mask.sum()
    a = a - beta * big_l[own]
    return z, a, token_mean(clipped(torch.exp(logp - old), a, 0.2, 0.2), mask)


def top_entropy(batch):
    """verl with the gradient on the fifth of the tokens that has the largest entropies."""
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    log_pi = torch.log_softmax(z.detach(), dim=-1)
    entropy = torch.where(mask > 0, -(log_pi.exp() * log_pi).sum(-1), -torch.ones(len(mask), dtype=torch.float64))
    count = max(1, int(mask.sum().item() * 0.2))
    chosen = torch.zeros_like(mask)
    chosen[torch.topk(entropy, count).indices] = 1.0
    loss = clipped(torch.exp(logp - old), a, 0.2, 0.2, 3.0) * chosen
    return z, a, (loss * mask).sum() / mask.sum()


def covariances(a, logp, mask):
    off = [(x - (x * mask).sum() / mask.sum()) for x in (a, logp.detach())]
    return off[0] * off[1]


def kl_cov(batch):
    """verl's KL-Cov: |log ratio| on the fifth of the tokens with the largest covariance, coefficient 1, no clip."""
    z, logp, old, _, _, mask = batch.tensors()
    a = spread(batch, by_group(batch, "sample", 1e-6))
    covariance = torch.where(mask > 0, covariances(a, logp, mask), torch.tensor(-np.inf, dtype=torch.float64))
    count = max(1, int(mask.sum().item() * 0.2))
    chosen = torch.zeros_like(mask)
    chosen[torch.topk(covariance, count).indices] = 1.0
    loss = -a * torch.exp(logp - old) + chosen * (logp - old).abs()
    return z, a, token_mean(loss, mask)


ORACLES = {  # name: (recipe, parameters, oracle)
    "verl": ("verl", {}, verl),
    "trl": ("trl", {}, trl),
    "skyrl": ("skyrl", {}, skyrl),
    "openrlhf": ("openrlhf", {}, openrlhf),
    "reinforce": ("reinforce", {}, reinforce),
    "rloo": ("rloo", {}, rloo),
    "grpo": ("grpo", {}, grpo),
    "grpo-population": ("grpo-population", {}, grpo_population),
    "dr-grpo": ("dr-grpo", {}, dr_grpo),
    "dapo": ("dapo", {}, dapo),
    "gspo": ("gspo", {}, gspo),
    "cispo": ("cispo", {}, cispo),
    "cispo-cap": ("cispo-cap", {}, cispo_cap),
    "reinforce++": ("reinforce++", {}, reinforce_pp),
    "tis": ("verl", {"correction": "tis"}, tis),
    "icepop": ("verl", {"correction": "icepop"}, icepop),
    "bonus": ("verl", {"bonus": "1/100"}, bonus),
    "batch-std": ("trl", {"std": "batch"}, batch_std),
    "k2": ("grpo", {"kl": "k2"}, k2_loss),
    "k1": ("grpo", {"kl": "k1"}, k1_loss),
    "reinforce++-baseline": ("reinforce++", {"advantage": "reinforce++-baseline"}, baseline_pp),
    "kl-in-reward": ("verl", {"kl": "k3", "kl_in": "reward", "kl_coefficient": "1/100"}, kl_in_reward),
    "repo-r": ("repo-r", {}, repo_r),
    "repo-d": ("repo-d", {}, repo_d),
    "top-entropy": ("verl", {"mask": "top-entropy"}, top_entropy),
    "kl-cov": ("verl", {"mask": "kl-cov", "clip": "none", "mask_share": "1/5"}, kl_cov),
}
