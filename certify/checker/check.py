"""Checks a certificate of any kind: reads the envelope, re-derives the game, verifies the proof and
says what is proved.  The claim of the verdict is written here, never copied from the file.
"""

from dataclasses import asdict, dataclass

from certify.checker.cover import tree as cover
from certify.checker.kinds.structural import FORMS, check_structural, shape_of_parameters
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading.envelope import (
    FORMAT,
    VERSION,
    Failed,
    Malformed,
    array,
    check_limits,
    integer,
    rational,
    read_file,
    record,
    sha256,
)
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process

ENGINES = ("auto", "stdlib", "fast")
AUTO_SECONDS = 2  # of estimated work, beyond which "auto" takes the fast engine
_ENVELOPE = ("format", "version", "kind", "objective", "claim", "proof")
_OPTIONAL = ("consequences", "search")
_OPTIONAL_FOR_GAMES = ("symmetry", "multiplicity")


@dataclass(frozen=True)
class Verdict:
    """What a check found.  `failed_step` names the step that did not verify, and why."""

    valid: bool
    claim: str
    steps: int
    failed_step: dict | None
    engine: str

    def as_dict(self):
        return asdict(self)


def check_file(path, engine="auto", progress=None, workers=1):
    """The `Verdict` on a certificate file; raises `Malformed` where it is not a certificate.

    `engine` is "stdlib", "fast" or "auto"; `progress` is called with a line now and then; `workers` processes
    share the verification of a cover.
    """
    return _check(read_file(path), engine, progress, workers)  # it is within the limits, or would not have been read


def check_certificate(certificate, engine="auto", progress=None, workers=1):
    """The `Verdict` on a certificate that was read from JSON."""
    check_limits(certificate)
    return _check(certificate, engine, progress, workers)


def _check(certificate, engine, progress, workers):
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    if workers < 1:
        raise ValueError(f"{workers} workers")
    version = certificate.get("version")
    if certificate.get("format") != FORMAT or version != VERSION or isinstance(version, bool):
        raise Malformed("certificate", f'not of "format": "{FORMAT}", "version": {VERSION}')
    kind = certificate.get("kind")
    if not isinstance(kind, str):
        raise Malformed("certificate.kind", "not a string")
    if kind == "symmetry" or kind.startswith("entropy-"):
        return _check_elsewhere(certificate, kind)
    if kind == "multiplicity":
        return _check_multiplicity(certificate)
    if kind == "crossplay":
        return _check_crossplay(certificate)
    if kind == "optimum":
        return _check_optimum(certificate, engine, progress, workers)
    if kind not in ("threshold", "structural-parameters"):
        raise Malformed("certificate.kind", f"{kind[:40]!r} is not a kind that this checker knows")
    return _ThresholdCheck(certificate, kind, engine, progress, workers).verdict()


def _check_elsewhere(certificate, kind):
    """Kinds that have checkers of their own."""
    from certify.checker.kinds import symmetry

    try:
        if kind == "symmetry":
            found = symmetry.check_symmetry_certificate(certificate)
        else:
            from certify.checker.kinds.entropy import check_entropy

            found = check_entropy(certificate)
    except symmetry.Malformed as error:
        raise Malformed("certificate", str(error)) from None
    return Verdict(found["valid"], found["claim"] or kind, found["steps"], found["failed_step"], "stdlib")


def _check_multiplicity(certificate):
    """At least two stationary policies at one temperature."""
    from certify.checker.kinds.multiplicity import check_multiplicity_certificate

    try:
        claim, steps = check_multiplicity_certificate(certificate)
    except Failed as failure:
        return Verdict(False, "multiplicity", 0, failure.as_dict(), "stdlib")
    return Verdict(True, claim, steps, None, "stdlib")


def _check_crossplay(certificate):
    """Teams whose agents come from different stationary policies."""
    from certify.checker.kinds.crossplay import check_crossplay

    try:
        claim, steps = check_crossplay(certificate)
    except Failed as failure:
        return Verdict(False, "crossplay", 0, failure.as_dict(), "stdlib")
    return Verdict(True, claim, steps, None, "stdlib")


def _check_optimum(certificate, engine, progress, workers):
    """An optimum, whose threshold is checked by the engine asked for."""
    from certify.checker.kinds.optimum import check_optimum

    used = "stdlib"

    def threshold(part):
        nonlocal used
        verdict = check_certificate(part, engine, progress, workers)
        used = verdict.engine
        return verdict

    try:
        claim, steps = check_optimum(certificate, threshold, progress)
    except Failed as failure:
        return Verdict(False, "optimum", 0, failure.as_dict(), used)
    return Verdict(True, claim, steps, None, used)


class _ThresholdCheck:
    """One certificate of kind "threshold" or "structural-parameters"."""

    def __init__(self, certificate, kind, engine, progress, workers):
        self.certificate, self.kind, self.progress, self.workers = certificate, kind, progress, workers
        self.engine_wanted, self.engine = engine, "stdlib"
        self.subject = "game" if kind == "threshold" else "parameters"
        about_game = kind == "threshold"
        record(
            certificate,
            "certificate",
            (*_ENVELOPE, self.subject, f"{self.subject}_sha256"),
            _OPTIONAL + (_OPTIONAL_FOR_GAMES if about_game else ()),
        )
        if certificate["objective"] != "visitation":
            raise Malformed("certificate.objective", 'not "visitation"')
        claim = record(
            certificate["claim"],
            "claim",
            ("alpha_star", "strong_concavity"),
            ("alpha_multiple", "alpha_two_maxima") if about_game else (),
        )
        self.alpha_star = rational(claim["alpha_star"], "claim.alpha_star")
        self.concavity = [
            self._read_concavity(entry, f"claim.strong_concavity[{k}]")
            for k, entry in enumerate(array(claim["strong_concavity"], "claim.strong_concavity"))
        ]
        proof = certificate["proof"]
        if not isinstance(proof, dict) or proof.get("type") not in ("structural", "cover"):
            raise Malformed("proof.type", 'neither "structural" nor "cover"')
        self.proof, self.cover = proof, proof["type"] == "cover"
        if self.cover and kind != "threshold":
            raise Malformed("proof.type", "parameters alone have structural proofs only")
        if not self.cover:
            forms = FORMS if kind == "threshold" else FORMS[:2]
            if proof.get("form") not in forms:
                raise Malformed("proof.form", f"none of {', '.join(forms)}")

    def _read_concavity(self, entry, where):
        record(entry, where, ("alpha", "modulus", "node", "steps"))
        alpha, modulus = rational(entry["alpha"], f"{where}.alpha"), rational(entry["modulus"], f"{where}.modulus")
        if alpha <= 0:
            raise Malformed(f"{where}.alpha", "not positive")
        return alpha, modulus, entry["node"], entry["steps"]

    def verdict(self):
        """Verifies everything in order."""
        claim = f"for every alpha >= {self.alpha_star} there is exactly one stationary policy"
        try:
            if self.alpha_star <= 0:
                raise Failed("alpha_star is not positive", step="claim")
            steps, claim = self._structural_parameters() if self.kind != "threshold" else self._threshold(claim)
        except Failed as failure:
            return Verdict(False, claim, 0, failure.as_dict(), self.engine)
        return Verdict(True, claim, steps, None, self.engine)

    def _check_hash(self):
        """That the certificate is about the game, or the parameters, that it names."""
        stated = self.certificate[f"{self.subject}_sha256"]
        if not isinstance(stated, str):
            raise Malformed(f"certificate.{self.subject}_sha256", "not a string")
        if sha256(self.certificate[self.subject]) != stated:
            raise Failed(f"it is not the hash of the {self.subject}", step=f"{self.subject}_sha256")

    def _structural_parameters(self):
        shape = shape_of_parameters(self.certificate["parameters"])
        self._check_hash()
        steps = 1 + self._structural(None, shape)
        low, high = self.certificate["parameters"]["return"]
        return steps, (
            f"every game with {shape.agents} agents, horizon {shape.horizon}, "
            f"{shape.actions[0][0]} actions, "
            f"return in [{low}, {high}], discount 1 and weights 1: for every alpha >= {self.alpha_star} "
            f"there is exactly one stationary policy{self._moduli(shape.horizon)}"
        )

    def _threshold(self, claim):
        data = self.certificate["game"]
        game = read_game(data)
        name = "".join(c if c.isprintable() else "?" for c in game.name[:80])  # a claim is one line
        claim = f"game {name!r}, horizon {game.horizon}: {claim}"
        self._check_hash()
        steps = 1 + (self._cover(game) if self.cover else self._structural(game, None))
        fixed = ""
        if self.certificate.get("symmetry") is not None:
            added, fixed = self._symmetry(data)
            steps += added
        added, below = self._multiplicity(data, game)
        steps += added
        return steps, claim + fixed + self._moduli(game.horizon) + below

    def _moduli(self, horizon):
        """Where J is strongly concave, and how much (format, section 6)."""
        if self.cover:
            regions = [f"in a box that holds every stationary policy (node {entry[2]})" for entry in self.concavity]
        elif horizon == 1:
            regions = ["on the whole policy space"] * len(self.concavity)
        else:
            regions = ["where log pi_i(a) - log pi_i(b) <= c_t/w_i, which holds every stationary policy"]
            regions *= len(self.concavity)
        return "".join(
            f"; at alpha = {alpha} strongly concave with modulus {modulus} {region}"
            for (alpha, modulus, *_), region in zip(self.concavity, regions)
        )

    def _structural(self, game, shape):
        for number, (_, _, node, steps) in enumerate(self.concavity):
            if node is not None or steps != []:
                raise Malformed(f"claim.strong_concavity[{number}]", "a node or steps with a structural proof")
        return check_structural(self.proof, self.alpha_star, [entry[:2] for entry in self.concavity], game, shape)

    def _cover(self, game):
        proof = record(self.proof, "proof", ("type", "unit", "nodes"), ("clustering",))
        clustering = proof.get("clustering", True)
        if not isinstance(clustering, bool):
            raise Malformed("proof.clustering", "neither true nor false")
        unit = cover.read_unit(proof)
        process = build_process(game, clustering)
        nodes = cover.read_nodes(proof, process)
        concavity = [
            (
                alpha,
                modulus,
                integer(node, f"claim.strong_concavity[{k}].node", 0, cover.MAX_NODES),
                cover.read_steps(steps, f"claim.strong_concavity[{k}].steps", process),
            )
            for k, (alpha, modulus, node, steps) in enumerate(self.concavity)
        ]
        self._verified_by_one(self._engines(process, nodes), process, nodes, unit, concavity)
        return sum(len(node.steps) + 1 for node in nodes) + sum(len(c[3]) + 1 for c in concavity)

    def _verified_by_one(self, engines, process, nodes, unit, concavity):
        """What one engine verifies is proved; where all fail, the first one's failure counts."""
        failure = None
        for engine in engines:
            engine.begin(process)
            try:
                cover.check_cover(nodes, unit, self.alpha_star, engine, concavity, self.workers, self.progress)
            except Failed as failed:
                failure = failure or failed
                self.engine = engines[0].name
            else:
                self.engine = engine.name
                return
        raise failure

    def _engines(self, process, nodes):
        """The engines to try, in order: "auto" takes the plain one for small covers, and the fast one where the
        other's arithmetic is too coarse for a box near the boundary."""
        wanted = self.engine_wanted
        small = cover.estimated_seconds(process, nodes) <= AUTO_SECONDS
        plain = [StdlibEngine()] if wanted == "stdlib" or (wanted == "auto" and small) else []
        if wanted == "stdlib":
            return plain
        try:
            from certify.checker.fast.engine import FastEngine
        except ImportError:
            if wanted == "auto":
                return [StdlibEngine()]  # slower, and needs nothing
            raise
        return [*plain, FastEngine()]

    def _multiplicity(self, data, game):
        """The lower end of the bracket: evidence (format, section 7) and the two claims about it."""
        stated = {key: self.certificate["claim"].get(key) for key in ("alpha_multiple", "alpha_two_maxima")}
        stated = {key: None if value is None else rational(value, f"claim.{key}") for key, value in stated.items()}
        evidence = self.certificate.get("multiplicity")
        if evidence is None:
            if any(value is not None for value in stated.values()):
                raise Failed("a claim of multiplicity without evidence", step="claim.alpha_multiple")
            return 0, ""
        from certify.checker.kinds.multiplicity import check_multiplicity

        found = check_multiplicity(data, evidence, game=game, where="multiplicity")
        for key, proved in (("alpha_multiple", found.alpha), ("alpha_two_maxima", found.two_maxima)):
            if stated[key] != proved:
                raise Failed(f"the evidence is about {proved}", step=f"claim.{key}")
        if found.alpha >= self.alpha_star:
            raise Failed("it contradicts the claim of uniqueness", step="claim.alpha_multiple")
        return found.steps, f"; at alpha = {found.alpha} there are several"

    def _symmetry(self, data):
        from certify.checker.kinds import symmetry

        try:
            found = symmetry.check_symmetry(data, self.certificate["symmetry"])
            return found["steps"], f", and it is {symmetry.fixed_by(found)}"
        except symmetry.Malformed as error:
            raise Malformed("symmetry", str(error)) from None
        except symmetry.Rejected as error:
            raise Failed(error.reason, step=f"symmetry, {error.step}") from None
