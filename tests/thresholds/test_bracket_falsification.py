"""Try to refute certified brackets at both ends on random games: multistart above, the proved pair below."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from bracket_games import LARGE, bracket_game, one_shot_integers, payoffs
from bracket_multistart import counterexamples, policies_below

import certify
from certify import checker
from certify.thresholds.approx_step import Step

SECONDS = 600  # per game: far more than any game of FEW takes, so that these tests do not depend on the machine
BRIEF = 5  # per game of the many: a bracket that is still wide then is attacked as it stands
DEAR = {2, 4, 7, 10, 14, 19, 24, 29}  # take 3 to 10 seconds each
FEW = [k for k in range(32) if k not in DEAR]
MANY = 1000
GROUP, CHUNK = 6, 10  # games per test


def attacked(games, seconds):
    """(counterexamples, number of games with a proved alpha_star, number with both ends)."""
    found, above, both = [], 0, 0
    for k in games:
        game = bracket_game(k)
        result = certify.threshold(game, method="search", rtol="1/20", time_limit=seconds)
        if result.status == "proved":
            found += counterexamples(game, result, np.random.default_rng(k))
            above, both = above + 1, both + (result.alpha_multiple is not None)
    return found, above, both


@pytest.mark.parametrize(
    "games",
    [FEW[:3], *(pytest.param(FEW[k : k + GROUP], marks=pytest.mark.slow) for k in range(0, len(FEW), GROUP))],
    ids=lambda games: f"{games[0]}-{games[-1]}",
)
def test_brackets_withstand(games):
    found, above, both = attacked(games, SECONDS)
    assert found == []
    assert above == len(games) and both > 0  # otherwise nothing was attacked


CHUNKS = [pytest.param(k) if k == 534 // CHUNK else k for k in range(MANY // CHUNK)]


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(MANY // CHUNK))
def test_brackets_withstand_many(chunk):
    found, above, _ = attacked(range(CHUNK * chunk, CHUNK * (chunk + 1)), BRIEF)
    assert found == []
    assert above >= CHUNK - 2


@pytest.fixture(scope="module", params=["lever:3", 3])
def bracket(request):
    game = certify.load(request.param) if isinstance(request.param, str) else bracket_game(request.param)
    return game, certify.threshold(game, method="search", rtol="1/20", time_limit=SECONDS)


def test_an_upper_end_below_the_lower_is_exposed(bracket):
    game, result = bracket
    assert counterexamples(game, result, np.random.default_rng(0)) == []
    false = replace(result, alpha_star=result.alpha_multiple * Fraction(9, 10))
    assert any("at 1.0 alpha_star" in text for text in counterexamples(game, false, np.random.default_rng(0)))


def test_a_lower_end_above_the_upper_is_exposed(bracket):
    game, result = bracket
    alpha = result.alpha_star * Fraction(11, 10)
    witness = result.document["multiplicity"]["witness"] | {"alpha": str(alpha)}
    false = replace(
        result,
        alpha_multiple=alpha,
        document=result.document | {"multiplicity": result.document["multiplicity"] | {"witness": witness}},
    )
    assert [text for text in counterexamples(game, false, np.random.default_rng(0)) if "at alpha_multiple" in text]


def test_two_copies_of_one_proved_policy_are_not_two(bracket):
    game, result = bracket
    evidence = result.document["multiplicity"]
    witness = evidence["witness"] | {"policies": [evidence["witness"]["policies"][0]] * 2}
    false = replace(result, document=result.document | {"multiplicity": evidence | {"witness": witness}})
    assert counterexamples(game, false, np.random.default_rng(0))


def test_a_saddle_alone_is_two_policies_and_no_other_policy_is(bracket):
    """The ascent from a proved saddle ends elsewhere; told of another temperature it starts and ends at one policy."""
    game, result = bracket
    evidence = result.document["multiplicity"]
    saddle = next(p for p in evidence["witness"]["policies"] if p["kind"] == "saddle")
    alone = evidence | {"witness": evidence["witness"] | {"policies": [saddle]}}
    assert policies_below(game, alone) >= 2
    hot = alone | {"witness": alone["witness"] | {"alpha": str(result.alpha_star * 2)}}
    assert policies_below(game, hot) == 1


def test_a_broken_step_rule_is_exposed(monkeypatch):
    """Bounds a third of their size: the independent checker refuses what localisation makes of them,
    and if it looked away the float attack would not."""
    game, honest = certify.load("lever:3"), Step.log_ratio_bounds
    monkeypatch.setattr(Step, "log_ratio_bounds", lambda self, i, t, guess=None: honest(self, i, t, None) / 3)
    assert certify.threshold(game, method="localisation", rtol="1/20").status == "undecided"
    unseen = checker.Verdict(True, "", 0, None, "none")
    monkeypatch.setattr(checker, "check_certificate", lambda document, **_: unseen)
    false = certify.threshold(game, method="localisation", rtol="1/20")
    assert counterexamples(game, false, np.random.default_rng(0))


def test_a_refused_label_costs_neither_end():
    """The lower end of game 7 carries a label that the checker cannot confirm: the bracket stands without it."""
    result = certify.threshold(bracket_game(7), method="search", rtol="1/20", time_limit=SECONDS)
    assert result.status == "proved" and "strict local maximum" in result.reason
    assert result.alpha_multiple is not None and result.alpha_two_maxima is None


@pytest.mark.slow
def test_a_policy_so_extreme_that_its_metric_underflows():
    """Game 534: a quotient of 0 and 0 in a label that nothing depends on."""
    assert certify.threshold(bracket_game(534), method="search", rtol="1/20", time_limit=SECONDS).status == "proved"


@pytest.mark.parametrize("k", [4, 17, *(pytest.param(k, marks=pytest.mark.slow) for k in (6, 8, 12, 25))])
def test_unique_down_to_a_thousandth_of_the_payoff_range(k):
    """3x3 games with payoffs in [-30, 30] in which multistart finds one policy at every temperature."""
    game = one_shot_integers(np.random.default_rng(90_000 + k), (3, 3), LARGE)
    result = certify.threshold(game, method="search", rtol="1/1000", time_limit=600)
    assert result.alpha_multiple is None
    assert result.alpha_star <= Fraction(max(payoffs(game)) - min(payoffs(game)), 1000)
