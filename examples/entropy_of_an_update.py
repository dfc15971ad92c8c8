"""What one policy-gradient update certainly does to the entropy, algorithm by algorithm.

Usage: python examples/entropy_of_an_update.py
"""

from fractions import Fraction

from certify import checker
from certify.answers.entropy import step_report
from certify.entropy import advantages_from_json, policy_from_json

# A next-token distribution with one favourite and a rare token that turned out well.
POLICY = ["7/10", "1/5", "7/100", "2/100", "1/100"]
ADVANTAGES = ["1/2", "-1", "0", "-1", "3"]
STEP = Fraction(1, 2)

ALGORITHMS = [
    ("reinforce", {}, "expected REINFORCE"),
    ("natural", {}, "natural gradient"),
    ("reinforce-sample", {"action": 4}, "REINFORCE, the rare token drawn"),
    ("reinforce-sample", {"action": 0}, "REINFORCE, the favourite drawn"),
    ("repo", {"beta": "neutral"}, "REPO at the neutral beta"),
    ("repo-d", {"zeta": "2"}, "REPO-D, zeta = 2"),
    ("entropy-bonus", {"coefficient": "1/10"}, "entropy bonus, coefficient 0.1"),
]


def main() -> None:
    """Print what is proved about one policy-gradient step."""
    policy = policy_from_json(POLICY)
    advantages = advantages_from_json(ADVANTAGES, policy)
    print(f"policy {', '.join(POLICY)}; advantages {', '.join(ADVANTAGES)}; every step in (0, {STEP}]")
    print(f"{'update':34} {'first order':>12} {'entropy':>10}   holds up to step   certificate")
    for name, parameters, label in ALGORITHMS:
        report = step_report(policy, advantages, name, parameters, Fraction(0), STEP)
        document = report.certificate()
        checked = (
            "none: undecided"
            if document is None
            else "valid"
            if checker.check_certificate(document).valid
            else "INVALID"
        )
        reach = report.persistence
        largest = "-" if reach.eta_max is None else f"{float(reach.eta_max):.4g}{'+' if reach.limited else ''}"
        print(
            f"{label:34} {float(report.first_order.lower):>+12.5f} {report.sign.sign:>10}   {largest:<16}   {checked}"
        )
        if report.sign.witness is not None:
            print(f"{'':34} the sign turns: {report.sign.reason}")
    print("'first order' is dH/d(step) at 0; a proved sign is about the finite change, for every step of the interval")


if __name__ == "__main__":
    main()
