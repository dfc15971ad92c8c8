"""The independent checker of certificates (docs/certificate-format.md): standard library only, except
for the optional fast engine; imports nothing else of the project.
"""

from certify.checker.check import check_certificate, check_file
from certify.checker.reading.envelope import Malformed
from certify.checker.verdict import BUDGET, Unable, Verdict

__all__ = ["BUDGET", "Malformed", "Unable", "Verdict", "check_certificate", "check_file"]
