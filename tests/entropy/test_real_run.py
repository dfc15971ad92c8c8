"""A recurrent network trained on the CPU by a GRPO loop as public trainers have it: its batch goes through
`certify entropy batch`, and the certified change under shared parameters is that of the trained last layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from certify.answers.entropy_batch import entropy_batch

torch = pytest.importorskip("torch", reason="the network is trained by torch: pip install torch")

VOCABULARY, HIDDEN, LENGTH, PROMPTS, SIZE = 24, 16, 8, 4, 6


class Network(torch.nn.Module):
    """A GRU with a linear last layer, float64."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, HIDDEN)
        self.core = torch.nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.head = torch.nn.Linear(HIDDEN, VOCABULARY, bias=False)
        self.double()

    def features(self, tokens):
        """Hidden states before each next token, (B, T, HIDDEN)."""
        return self.core(self.embedding(tokens))[0]


def sampled(network, generator):
    """Sequences of a prompt token and LENGTH sampled ones, and the log-probabilities they were sampled with."""
    prompts = torch.arange(PROMPTS).repeat_interleave(SIZE)[:, None]
    tokens, logp = prompts, []
    with torch.no_grad():
        for _ in range(LENGTH):
            log_pi = torch.log_softmax(network.head(network.features(tokens)[:, -1]), dim=-1)
            new = torch.multinomial(log_pi.exp(), 1, generator=generator)
            logp.append(log_pi.gather(1, new))
            tokens = torch.cat([tokens, new], dim=1)
    return tokens, torch.cat(logp, dim=1)


def rewards(tokens):
    """Even tokens are good, and one lucky token is better."""
    drawn = tokens[:, 1:]
    return (drawn % 2 == 0).double().mean(1) + (drawn == 7).double().sum(1)


@dataclass
class Batch:
    """What a trainer holds before its update."""

    tokens: torch.Tensor
    old: torch.Tensor
    advantage: torch.Tensor
    reward: torch.Tensor


def collected(network, generator) -> Batch:
    tokens, old = sampled(network, generator)
    reward = rewards(tokens)
    groups = reward.view(PROMPTS, SIZE)
    advantage = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-6)
    return Batch(tokens, old, advantage.flatten()[:, None], reward)


def loss_of(logits, batch: Batch):
    """verl's policy loss: clipped at 0.2, dual clip 3, token mean."""
    logp = torch.log_softmax(logits, dim=-1).gather(2, batch.tokens[:, 1:, None])[..., 0]
    ratio, a = torch.exp(logp - batch.old), batch.advantage
    first = torch.maximum(-a * ratio, -a * torch.clamp(ratio, 0.8, 1.2))
    return torch.where(a < 0, torch.minimum(first, -a * 3.0), first).mean(), logp


def trained(steps: int = 12):
    """A network after some updates, a fresh batch of it, and one inner step taken on that batch already."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(steps):
        batch = collected(network, generator)
        for _ in range(2):
            optimiser.zero_grad()
            loss_of(network.head(network.features(batch.tokens[:, :-1])), batch)[0].backward()
            optimiser.step()
    batch = collected(network, generator)
    optimiser.zero_grad()
    loss_of(network.head(network.features(batch.tokens[:, :-1])), batch)[0].backward()
    optimiser.step()
    return network, batch


def dumped(folder: Path, dtype=np.float64):
    """The batch as a file, and its features as another."""
    network, batch = trained()
    with torch.no_grad():
        features = network.features(batch.tokens[:, :-1])
        logits = network.head(features)
        logp = loss_of(logits, batch)[1]
    n = batch.old.numel()
    sequence = np.repeat(np.arange(PROMPTS * SIZE), LENGTH)
    np.savez(
        folder / "batch.npz",
        logits=logits.reshape(n, VOCABULARY).numpy().astype(dtype),
        token_id=batch.tokens[:, 1:].reshape(n).numpy(),
        logp_train=logp.reshape(n).numpy().astype(dtype),
        logp_old=batch.old.reshape(n).numpy().astype(dtype),
        reward=batch.reward.numpy()[sequence],
        seq_id=sequence,
        group_id=sequence // SIZE,
    )
    np.save(folder / "features.npy", features.reshape(n, HIDDEN).numpy())
    return network, batch, features


def entropies(features, weights):
    log_pi = torch.log_softmax(features @ weights.T, dim=-1)
    return -(log_pi.exp() * log_pi).sum(-1).flatten()


def test_the_certified_change_is_that_of_the_trained_layer(tmp_path):
    network, batch, features = dumped(tmp_path)
    report = entropy_batch(tmp_path / "batch.npz", "verl", features=tmp_path / "features.npy")
    weights = network.head.weight.detach().clone().requires_grad_(True)
    loss_of(features @ weights.T, batch)[0].backward()
    step = -weights.grad
    eta = 1e-4
    with torch.no_grad():
        w = weights.detach()
        numeric = (entropies(features, w + eta * step) - entropies(features, w - eta * step)).numpy() / (2 * eta)
    assert report.clip["ambiguous"] == 0 and report.clip["cut"] > 0
    scale = np.abs(numeric).max()
    assert np.abs(report.shared.change.mid - numeric).max() < 1e-6 * scale
    assert report.shared.change.rad.max() < 1e-9 * scale
    total = report.to_json()["shared"]["first_order"]
    assert abs(float(Fraction(total[0])) - numeric.sum()) < 1e-6 * np.abs(numeric).sum()
    # the diagonal formula is another number, and wrong in sign for some tokens
    assert report.shared.wrong > 0


def test_a_batch_in_bfloat16_is_answered_too(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 in numpy: pip install 'certify[batch]'")
    dumped(tmp_path, ml_dtypes.bfloat16)
    report = entropy_batch(tmp_path / "batch.npz", "verl")
    assert report.tokens == PROMPTS * SIZE * LENGTH and report.clip["ambiguous"] > 0
    assert report.entropy[0] > 0 and report.up + report.down > report.undecided
