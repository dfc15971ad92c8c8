"""Threshold certificates in words (docs/certificate-format.md, sections 2 to 6)."""

from __future__ import annotations

from typing import Any

from certify.certificates.markup import Sentence, counted, interval, number, rounded, say
from certify.certificates.reading_game import assumptions, digest, fraction, objective, setting, subject, whole
from certify.certificates.reading_multiplicity import evidence
from certify.certificates.reading_objective import Words, words_of
from certify.certificates.statement import Item, Statement, items
from certify.exact import significant_text

_MOST_NODES = 400  # of a cover on a page
_LIMITS = items(
    say("Anything about temperatures below $alpha*$."),
    say("Anything about sampled gradients, larger steps or function approximation."),
    say("How good the unique policy is."),
)


def threshold(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "threshold" states; raises `KeyError` and the like for a damaged one."""
    claim, proof, game = document["claim"], document["proof"], document["game"]
    claims = [
        *_unique(document),
        *_flows(document),
        *_ascent(claim),
        *_concave(claim, whole(game["horizon"], "horizon")),
    ]
    if document.get("symmetry") is not None:
        claims.append(_fixed(document["symmetry"]))
    if document.get("multiplicity") is not None:
        claims += evidence(document["multiplicity"])
    claims += _original(document)
    return Statement(
        "threshold",
        say("Threshold certificate for the game {}", game["name"]),
        setting(document),
        subject(document),
        tuple(claims),
        _follows(document),
        _proof(document, proof),
        assumptions(document),
        _LIMITS,
        unchecked=_search(document),
        game=game,
    )


def parameters(document: dict[str, Any]) -> Statement:
    """What a certificate of kind "structural-parameters" states."""
    p = document["parameters"]
    low, high = (fraction(end, "return") for end in p["return"])
    agents, horizon, actions = (whole(p[key], key) for key in ("agents", "horizon", "actions"))
    size = f"{agents} agents, horizon {horizon}, {actions} actions each, return in ${interval(low, high)}$"
    discount = number(fraction(p["discount"], "discount"), up=True)
    return Statement(
        "structural-parameters",
        say(f"Structural certificate for every game with {size}"),
        say(f"Consider any Dec-POMDP with {size}, discount ${discount}$ and weights 1, and ") + objective(document),
        (("games", say(f"all with {size}, discount ${discount}$, weights 1")),
         ("parameters SHA-256", digest(document["parameters_sha256"]))),
        (*_unique(document), *_ascent(document["claim"]), *_concave(document["claim"], horizon)),
        _follows(document),
        _structural(document["proof"], (), words_of(document)),
        assumptions(document)[:-1],
        _LIMITS,
        unchecked=_search(document),
    )  # fmt: skip


def _unique(document: dict[str, Any]) -> list[Item]:
    alpha = fraction(document["claim"]["alpha_star"], "alpha_star")
    start = f"For every temperature $alpha >= {number(alpha, up=True)}$ "
    if document["claim"].get("horizons") == "all":
        start = f"With every number of steps, for every temperature $alpha >= {number(alpha, up=True)}$ "
    decimal = significant_text(alpha, 8, up=True)
    aside = f"(at most {decimal}) " if decimal != number(alpha, up=True) else ""
    what = say(" has exactly one stationary policy.")
    return [Item(say(start + aside) + objective(document) + what)]


def _original(document: dict[str, Any]) -> list[Item]:
    """What is said of the game that this one is the potential of (docs/theory/potential.md#lambda)."""
    if document.get("original") is None:
        return []
    what = say("The game is the potential, with the weights above, of the game whose payoffs for each player are in "
               "the certificate (SHA-256 ") + digest(document["original_sha256"]) + say(").")  # fmt: skip
    claim = document["claim"]
    largest = number(1 / fraction(claim["alpha_star"], "alpha_star"), up=False)
    text = f"That game has exactly one logit quantal response equilibrium for every $lambda$ from 0 to ${largest}$."
    found = [Item(what), Item(say(text))]
    if claim.get("alpha_multiple") is not None:
        several = rounded(1 / fraction(claim["alpha_multiple"], "alpha_multiple"), up=True)
        found.append(Item(say(f"It has several at $lambda$ = {several}.")))
    return found


def _flows(document: dict[str, Any]) -> list[Item]:
    """Where flows of the local bonus end."""
    found = []
    for flow in ("natural", "plain"):
        if flow in document.get("flows", {}):
            above = number(fraction(document["flows"][flow]["alpha"], "alpha"), up=True)
            text = f"For every $alpha > {above}$ the {flow} gradient flow converges to it from every initialisation."
            found.append(Item(say(text)))
    return found


def _ascent(claim: dict[str, Any]) -> tuple[Item, ...]:
    if "ascent" not in claim:
        return ()
    step, growth = (fraction(claim["ascent"][name], name) for name in ("step_size", "growth"))
    slower = significant_text(growth, 8, up=True)
    return items(
        say(f"Gradient ascent with a step of at most ${significant_text(step, 8, up=False)}$ converges to it at the "
            "smallest of these temperatures, from every initialisation; above, the inverse of the step grows by "
            f"${slower}$ for every unit of temperature."),
    )  # fmt: skip


def _concave(claim: dict[str, Any], horizon: int) -> list[Item]:
    # docs/theory/structural.md: for several steps the structural bound counts the entropies of localised policies only
    whole_space = (
        "the whole policy space" if horizon == 1 else "the policies with log-ratios within the structural bound"
    )
    found = []
    for item in claim.get("strong_concavity", []):
        alpha, modulus = fraction(item["alpha"], "alpha"), fraction(item["modulus"], "modulus")
        region = whole_space if item["node"] is None else "the box that holds every stationary policy there"
        at = f"At $alpha = {number(alpha, up=True)}$ it is "
        found.append(
            say(f"{at}strongly concave on {region}, modulus at least ${significant_text(modulus, 8, up=False)}$.")
            if modulus > 0
            else say(f"{at}concave on {region}; no modulus above 0 is claimed there.")
        )
    return list(items(*found))


def _fixed(group: dict[str, Any]) -> Item:
    order = whole(group["order"], "order")
    if order == 1 and group["complete"] is True:
        return Item(say("The game has no symmetries but those that move nothing, or states only."))
    which = "the whole automorphism group" if group["complete"] is True else "a part of the automorphism group"
    return Item(say(f"The policy is fixed by a group of {counted(order, 'symmetry', 'symmetries')}, {which}."))


def _follows(document: dict[str, Any]) -> tuple[Item, ...]:
    if not words_of(document).flows:
        return ()
    at = "at these temperatures"
    return items(
        say(f"Every trajectory of the softmax policy-gradient flow converges to that policy {at}, from every "
            "initialisation (Theorem A): all seeds end in one policy."),
        say("It is fixed by every symmetry of the objective, so agents of different runs fit together: cross-play "
            f"equals self-play {at}."),
    )  # fmt: skip


def _proof(document: dict[str, Any], proof: dict[str, Any]) -> tuple[Item, ...]:
    kind = proof["type"]
    if kind == "structural":
        return _structural(proof, document["game"]["agents"], words_of(document))
    if kind == "windows":
        return _windows(proof)
    if kind == "endless-windows":
        last = counted(whole(proof["last"], "last"), "step has", "steps have")
        by = say(
            f"Counted from the end, the last {last} boxes of their own; all earlier ones share theirs, by induction."
        )
        return (*_windows(proof), *items(by))
    return (
        _cover(proof, document["game"]["agents"], words_of(document))
        if kind == "cover"
        else items(say("a proof of type {}", kind))
    )


def _structural(proof: dict[str, Any], agents: Any, words: Words) -> tuple[Item, ...]:
    if proof.get("form") == "endless":
        what = "ranges of returns and entropies, and multipliers, that bound those of every number of steps"
        return (Item(say(f"Structural bound, form {{}}: {what}. No history is enumerated.", proof["form"])),)
    vector = proof.get("vector")
    rows = []
    for i, row in enumerate(vector if isinstance(vector, list) else []):
        name = agents[i] if i < len(agents) else f"agent{i + 1}"
        shown = ", ".join(number(fraction(z, "vector"), 6, up=True) for z in row[:60])
        rows.append(Item(say(f"{{}}: ${shown}$" + (f" and {len(row) - 60} more" if len(row) > 60 else ""), name)))
    vectors = (Item(say("The vector, by agent and step"), tuple(rows), folded=True),) if rows else ()
    size = "largest eigenvalue" if words.flows else "norm"
    what = (
        f"a positive vector bounds the {size} of a small matrix made of ranges and sizes"
        if rows
        else f"a bound on the {size} of a small matrix made of ranges and sizes"
    )
    return (Item(say(f"Structural bound, form {{}}: {what}. No history is enumerated.", proof["form"]), vectors),)


def _windows(proof: dict[str, Any]) -> tuple[Item, ...]:
    parts = []
    for number_, part in enumerate(proof["intervals"][:_MOST_NODES]):
        low, high = (fraction(end, "beta") for end in part["beta"])
        parts.append(
            Item(
                say(
                    f"Interval {number_ + 1}: $beta in {interval(low, high, 6)}$, {counted(len(part['steps']), 'step')}"
                )
            )
        )
    covering = counted(len(proof["intervals"]), "interval covers", "intervals cover")
    return (
        Item(
            say(f"Windows of {whole(proof['k'], 'k')} past action-observation pairs: {covering} "
                "all $beta = 1/alpha$ from 0 on. Boxes and bounds are shared by all histories with the same window."),
            (Item(say("The intervals"), tuple(parts), folded=True),),
        ),
    )  # fmt: skip


def _cover(proof: dict[str, Any], agents: Any, words: Words) -> tuple[Item, ...]:
    nodes = proof["nodes"]
    closed = [n for n in nodes if "close" in n]
    steps = sum(len(n["steps"]) for n in nodes)
    top = fraction(nodes[0]["beta"][1], "beta")
    definite, empty = (sum(n["close"] == how for n in closed) for how in ("nondegenerate", "empty"))
    images = sum(isinstance(n["close"], dict) for n in closed)
    carried = f"; {images} are images of others under {len(proof.get('automorphisms', ()))} symmetries of the game"
    merged = "yes" if proof.get("clustering", True) else "no"
    covering = counted(len(closed), "closed box covers", "closed boxes cover")
    tree = Item(say("The tree of boxes"), _tree(nodes, agents, words.closed), folded=True)
    return (
        Item(
            say(f"{covering} all $beta = 1/alpha in [0, {significant_text(top, 6, up=False)}]$ and "
                f"all policies, reached by {counted(steps, 'contraction step')}."),
            items(
                say(f"In {definite} of them every stationary policy is {words.closed}; {empty} hold none"
                    + (carried if images else "") + "."),
                say("By continuation from infinite temperature ($beta = 0$) it is then unique (Theorem D)."),
                say(f"AOHs that no policy can tell apart were merged: {merged}."),
            ) + (tree,),
        ),
    )  # fmt: skip


def _tree(nodes: list[dict[str, Any]], agents: Any, closed: str) -> tuple[Item, ...]:
    """The nodes below each other, as many as a page carries."""
    below: dict[int | None, list[int]] = {}
    for k, node in enumerate(nodes[:_MOST_NODES]):
        below.setdefault(node["parent"], []).append(k)
    built: dict[int, Item] = {}
    for k in reversed(range(min(len(nodes), _MOST_NODES))):
        built[k] = Item(
            _node(k, nodes[k], agents, closed), tuple(built[child] for child in below.get(k, ()) if child > k)
        )
    roots = tuple(built[k] for k in below.get(None, ()))
    left = len(nodes) - _MOST_NODES
    return (*roots, *(items(say(f"{left} more boxes are in the file.")) if left > 0 else ()))


def _node(k: int, node: dict[str, Any], agents: Any, closed: str) -> Sentence:
    low, high = (fraction(end, "beta") for end in node["beta"])
    start = say(f"Box {k}: $beta in {interval(low, high, 6)}$, {counted(len(node['steps']), 'step')}; ")
    if "close" in node:
        if isinstance(node["close"], dict):
            of = whole(node["close"]["image"]["node"], "node")
            return start + say(f"a symmetry carries it into box {of}")
        how = {"nondegenerate": f"every stationary policy in it is {closed}", "empty": "it holds none"}
        return start + say(how.get(node["close"], "closed"))
    split = node["split"]
    if "beta" in split:
        return start + say(f"split at $beta = {number(fraction(split['beta'], 'beta'), up=True)}$")
    i, t, row, a = (whole(split[key], key) for key in ("agent", "depth", "class", "action"))
    name = agents[i] if 0 <= i < len(agents) else f"agent{i + 1}"
    at = number(fraction(split["at"], "at"), up=True)
    return start + say(f"split at ${at}$ of the probability of action {a} of {{}} at step {t + 1}, class {row}", name)


def _search(document: dict[str, Any]) -> tuple[Item, ...]:
    search = document.get("search")
    if not isinstance(search, dict):
        return ()
    plain = {key: value for key, value in search.items() if isinstance(value, (str, int, float))}
    return items(*(say("{=}: {=}", key, value) for key, value in list(plain.items())[:12]))
