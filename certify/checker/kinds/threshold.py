"""Thresholds: for every alpha >= alpha_star there is exactly one stationary policy (format, sections 2 to 6).

The proof is structural, a cover or by windows; moduli of strong concavity, a symmetry group and the lower end of the
bracket may come with it.
"""

from fractions import Fraction
from typing import Any

from certify.checker.cover import tree
from certify.checker.kinds import structural
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading import envelope as reading
from certify.checker.reading.envelope import Failed, Malformed, array, boolean, integer, rational, record
from certify.checker.reading.game import Game, game_of
from certify.checker.reading.process import Process, build_process
from certify.checker.verdict import Proof, Run

AUTO_SECONDS = 0.3  # of estimated work, beyond which "auto" takes the fast engine
_BELOW = ("alpha_multiple", "alpha_two_maxima")


def check_threshold(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "threshold"; raises `Failed` or `Malformed`."""
    reading.envelope(
        certificate,
        ("objective", "claim", "proof", "game", "game_sha256"),
        optional=("symmetry", "multiplicity", "flows", "original", "original_sha256"),
    )
    claim = _Claim(certificate, (*_BELOW, "horizons"))
    endless = _every_horizon(certificate, claim)
    covered, windowed = (claim.proof.get("type") == name for name in ("cover", "windows"))
    if not covered and not windowed and not endless:
        structural.check_form(claim.proof, structural.FORMS)
    game = game_of(certificate)
    original = _original(certificate, game)
    flow = _check_local(certificate, claim, game)
    if covered:
        steps = 1 + _check_cover(claim, game, run)
        regions = [f"in a box that holds every stationary policy (node {entry['node']})" for entry in claim.concavity]
    elif windowed:
        from certify.checker.kinds.windows import check_windows

        if claim.concavity:
            raise Malformed("claim.strong_concavity", "a proof by windows proves no modulus")
        steps, regions = 1 + check_windows(claim.proof, claim.alpha_star, game, run), []
    elif endless:
        steps, regions = 1 + _check_endless(claim, game, run), []
    else:
        run.spend(structural.estimated_seconds(claim.proof["form"], game))
        steps = 1 + structural.check_structural(claim.proof, claim.alpha_star, claim.structural_moduli(), game)
        regions = [_region(game.horizon)] * len(claim.moduli)
    fixed, below = "", []
    if certificate.get("symmetry") is not None:
        from certify.checker.kinds.symmetry import check_group

        try:
            group = check_group(game, certificate["symmetry"])
        except Failed as failure:
            raise Failed(failure.why, step=f"symmetry, {failure.where.get('step')}") from None
        fixed, steps = f", and it is {group.fixed()}", steps + group.steps
    stated = tuple(_optional(certificate["claim"].get(key), f"claim.{key}") for key in _BELOW)
    if certificate.get("multiplicity") is not None:
        from certify.checker.kinds.multiplicity import check_evidence

        found = check_evidence(game, certificate["multiplicity"], where="multiplicity")
        for key, value, proved in zip(_BELOW, stated, (found.alpha, found.two_maxima), strict=True):
            if value != proved:
                raise Failed(f"the evidence is about {proved}", step=f"claim.{key}")
        if found.alpha >= claim.alpha_star:
            raise Failed("it contradicts the claim of uniqueness", step="claim.alpha_multiple")
        below, steps = [f"at alpha = {found.alpha} there are several"], steps + found.steps
    elif stated != (None, None):
        raise Failed("a claim of multiplicity without evidence", step="claim.alpha_multiple")
    unique = f"for every alpha >= {claim.alpha_star} there is exactly one stationary policy{fixed}"
    if original is not None:
        below.append(f"{original} has exactly one logit QRE for every lambda from 0 to {1 / claim.alpha_star}")
        below += [f"and several at lambda = {1 / alpha}" for alpha in stated[:1] if alpha is not None]
        steps += 1
    ascent = claim.ascends(game)
    conclusions = (unique, *flow, *claim.concave(regions), *ascent, *below)
    return Proof(conclusions, steps + len(flow) + len(ascent), game, every_horizon=endless)


def _every_horizon(certificate: Any, claim: Any) -> bool:
    """Whether the claim is about the game with every number of steps; nothing else may be claimed with it."""
    endless = claim.proof.get("form") == "endless" or claim.proof.get("type") == "endless-windows"
    if certificate["claim"].get("horizons") != ("all" if endless else None):
        raise Malformed("claim.horizons", 'not "all" with the form endless, and absent without it')
    if endless and (claim.concavity or claim.ascent is not None or {"symmetry", "multiplicity"} & certificate.keys()):
        raise Malformed("claim", "more than uniqueness for every horizon")
    return bool(endless)


def _check_endless(claim: Any, game: Game, run: Run) -> int:
    if claim.proof.get("type") == "endless-windows":
        from certify.checker.kinds.endless_windows import check_endless_windows

        return check_endless_windows(claim.proof, claim.alpha_star, game, run)
    from certify.checker.kinds.endless import check_endless

    return check_endless(claim.proof, claim.alpha_star, game)


def _original(certificate: Any, game: Game) -> str | None:
    """What the game that `game` is the potential of is called, where there is one."""
    if "original" not in certificate and "original_sha256" not in certificate:
        return None
    from certify.checker.reading.original import check_original

    return check_original(certificate, game)


def check_parameters(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "structural-parameters", about every game of a size."""
    reading.envelope(certificate, ("objective", "claim", "proof", "parameters", "parameters_sha256"))
    claim = _Claim(certificate)
    structural.check_form(claim.proof, structural.FORMS_WITHOUT_GAME)
    shape = structural.shape_of_parameters(certificate["parameters"])
    reading.check_hash(certificate, "parameters")
    moduli = claim.structural_moduli()
    steps = 1 + structural.check_structural(claim.proof, claim.alpha_star, moduli, shape=shape)
    low, high = certificate["parameters"]["return"]
    unique = (
        f"every game with {len(shape.actions)} agents, horizon {len(shape.widths)}, {shape.actions[0][0]} actions, "
        f"return in [{low}, {high}], discount 1 and weights 1: for every alpha >= {claim.alpha_star} "
        "there is exactly one stationary policy"
    )
    ascent = claim.ascends(shape=shape)
    regions = [_region(len(shape.widths))] * len(moduli)
    return Proof((unique, *claim.concave(regions), *ascent), steps + len(ascent))


class _Claim:
    """alpha_star and the moduli of strong concavity that a certificate claims, and its proof."""

    def __init__(self, certificate: Any, optional: tuple[str, ...] = ()) -> None:
        claim = record(certificate["claim"], "claim", ("alpha_star", "strong_concavity"), (*optional, "ascent"))
        self.ascent = claim.get("ascent")
        if self.ascent is not None and certificate["objective"] not in ("visitation", "kl"):
            raise Malformed("claim.ascent", "for an objective that is no J")
        self.alpha_star = rational(claim["alpha_star"], "claim.alpha_star")
        self.concavity = array(claim["strong_concavity"], "claim.strong_concavity")
        self.moduli = []
        for k, entry in enumerate(self.concavity):
            where = f"claim.strong_concavity[{k}]"
            record(entry, where, ("alpha", "modulus", "node", "steps"))
            self.moduli.append((rational(entry["alpha"], where), rational(entry["modulus"], where)))
            if self.moduli[k][0] <= 0:
                raise Malformed(f"{where}.alpha", "not positive")
        self.proof = certificate["proof"]
        if not isinstance(self.proof, dict):
            raise Malformed("proof", "not an object")
        if self.alpha_star <= 0:
            raise Failed("alpha_star is not positive", step="claim")

    def structural_moduli(self) -> list[Any]:
        """(alpha, modulus), without the nodes and steps that only a cover has."""
        for k, entry in enumerate(self.concavity):
            if entry["node"] is not None or entry["steps"] != []:
                raise Malformed(f"claim.strong_concavity[{k}]", "a node or steps with a structural proof")
        return self.moduli

    def ascends(self, game: Any = None, shape: structural.Shape | None = None) -> list[str]:
        """How large a step of gradient ascent may be, where that is claimed (format, section 3.1); give the game, or
        the shape where there are parameters only."""
        if self.ascent is None:
            return []
        from certify.checker.kinds.step_size import check_step_size, sizes_of

        sizes = sizes_of(game) if shape is None else [[(int(n), Fraction(1)) for n in row] for row in shape.actions]
        return [check_step_size(self.ascent, self.alpha_star, shape or structural.shape_of_game(game), sizes)]

    def concave(self, regions: list[str]) -> list[str]:
        """Where J is strongly concave, and how much (format, section 6)."""
        return [
            f"at alpha = {alpha} strongly concave with modulus {modulus} {region}"
            for (alpha, modulus), region in zip(self.moduli, regions, strict=True)
        ]


def _region(horizon: int) -> str:
    """Where the modulus of a structural proof holds."""
    if horizon == 1:
        return "on the whole policy space"
    return "where log pi_i(a) - log pi_i(b) <= c_t/w_i, which holds every stationary policy"


def _optional(value: Any, where: str) -> Any:
    return None if value is None else rational(value, where)


def _check_local(certificate: Any, claim: _Claim, game: Game) -> list[str]:
    """Where flows of the local bonus end, if that is claimed; `Failed` for proofs that are not
    about the objective: under the local bonus those of gradients, elsewhere its own forms."""
    form, part = claim.proof.get("form"), certificate.get("flows")
    if game.flows_back:
        if form in structural.LOCAL_FORMS or part is not None:
            raise Failed("it is proved for the local bonus only", step="form")
        return []
    stated = claim.proof.get("type") in ("cover", "windows")  # in one step the two fields are the same
    if not stated and form not in ("contraction", "regular", "one-step-rho", "one-step-spectral"):
        raise Failed("it is not proved for the local bonus", step="form")
    if claim.concavity:
        raise Failed("the local bonus is no gradient: nothing is concave", strong_concavity=0)
    return [
        _flow(name, data, game)
        for name, data in record({} if part is None else part, "flows", (), tuple(structural.FLOWS)).items()
    ]


def _flow(name: str, data: Any, game: Game) -> str:
    """Above which temperature a flow of the local bonus certainly ends in the one stationary policy."""
    record(data, f"flows.{name}", ("alpha", "vector"))
    alpha = rational(data["alpha"], f"flows.{name}.alpha")
    if alpha <= 0:
        raise Failed("alpha is not positive", step=f"flows.{name}")
    shape = structural.shape_of_game(game)
    proof = {"type": "structural", "form": structural.FLOWS[name], "vector": data["vector"]}
    try:
        structural.check_structural(proof, alpha, [], shape=shape)
    except Failed as failure:
        raise Failed(failure.why, step=f"flows.{name}, {failure.where.get('step')}") from None
    flow, rate = f"the {name} gradient flow", ""
    if name == "natural":
        rate = f", log-ratios at an exponential rate of at least {min(game.weights)} (alpha - {alpha})"
        if max(map(max, shape.actions)) <= 2:
            flow = "the natural gradient flow, and the plain one at some exponential rate,"
    return f"for every alpha > {alpha} {flow} converges to it from every initialisation{rate}"


def _check_cover(claim: _Claim, game: Game, run: Run) -> int:
    """The number of steps of a cover, once an engine has verified it."""
    proof = record(claim.proof, "proof", ("type", "unit", "nodes"), ("clustering", "automorphisms"))
    process = build_process(game, boolean(proof.get("clustering", True), "proof.clustering"))
    unit = integer(proof["unit"], "proof.unit", -reading.MAX_UNIT, -1)  # the exponent of all log ratios
    carriers: list[Any] = []
    if "automorphisms" in proof:
        from certify.checker.cover.image import read_carriers

        carriers = read_carriers(process, game, proof["automorphisms"])
    nodes = tree.read_nodes(proof, process, carriers)
    concavity = []
    for k, ((alpha, modulus), entry) in enumerate(zip(claim.moduli, claim.concavity, strict=True)):
        where = f"claim.strong_concavity[{k}]"
        node = integer(entry["node"], f"{where}.node", 0, reading.MAX_NODES)
        concavity.append((alpha, modulus, node, tree.read_steps(entry["steps"], f"{where}.steps", process)))
    failure = None
    for engine in _engines(run, process, nodes):
        engine.begin(process)
        try:
            tree.check_cover(nodes, unit, claim.alpha_star, engine, concavity, run.workers, run.tell)
        except Failed as failed:  # what one engine verifies is proved; where all fail, the first one's failure counts
            if failure is None:
                failure, run.engine = failed, engine.name
        else:
            run.engine = engine.name
            moduli = sum(len(entry[3]) + 1 for entry in concavity)
            return sum(len(node.steps) + 1 for node in nodes) + moduli + len(carriers)
    assert failure is not None
    raise failure


def _engines(run: Run, process: Process, nodes: list[Any]) -> list[Any]:
    """The engines to try, in order: "auto" takes the plain one for small covers, and the fast one where the
    other's arithmetic is too coarse for a box near the boundary."""
    wanted, seconds = run.wanted, tree.estimated_seconds(process, nodes)
    if wanted == "stdlib":
        run.spend(seconds)
        return [StdlibEngine()]
    small = wanted == "auto" and seconds <= AUTO_SECONDS
    try:
        from certify.checker.fast.engine import FastEngine
    except ImportError:
        if wanted == "auto":
            return [StdlibEngine()]  # slower, and needs nothing
        raise
    return [StdlibEngine(), FastEngine()] if small else [FastEngine()]
