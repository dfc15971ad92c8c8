"""The claims of the papers and our own, one script and one written proof each, run and reported.

Scripts live in `proofs/`; this package finds them, runs them, has every certificate checked by the
independent checker, and inserts their numbers into the written proofs.
"""

from certify.claims.model import CERTIFIED, PROVED, REFUTED, Claim, Outcome, undecided

__all__ = ["CERTIFIED", "PROVED", "REFUTED", "Claim", "Outcome", "undecided"]
