"""An experiment in words and as an object: claimed against measured, and how to repeat it."""

from collections.abc import Mapping
from typing import Any

from console.experiments import powers, shipped
from console.experiments.models import Experiment, State


def act_words(told: Mapping[str, Any]) -> str:
    """Of the trail: `experiment 12, 8 pairs`, `experiment 12`."""
    if not told:
        return "none"
    pairs = f", {told['pairs']} pairs" if "pairs" in told else ""
    return f"experiment {told['experiment']}{pairs}"


def repeat(experiment: Experiment) -> str:
    pairs, seed = experiment.pairs, experiment.seed
    return f"manage.py experiment {experiment.claim} --pairs {pairs} --seed {seed}"


def as_object(experiment: Experiment, *, blocks: bool = True) -> dict[str, Any]:
    """`blocks`: with all raw figures."""
    told = {
        "experiment": experiment.pk,
        "claim": experiment.claim,
        "claimed": experiment.claimed,
        "optimisations": experiment.optimisations,
        "flag": experiment.flag,
        "baseline": experiment.baseline,
        "treatment": experiment.treatment,
        "state": experiment.state,
        "verdict": experiment.verdict or None,
        "why": experiment.why,
        "found": experiment.found,
        "pairs": experiment.pairs,
        "seed": experiment.seed,
        "began_at": experiment.began_at and experiment.began_at.isoformat(),
        "ended_at": experiment.ended_at and experiment.ended_at.isoformat(),
        "machine": experiment.machine,
        "code_revision": experiment.code_revision,
        "flag_revision": experiment.flag_revision,
        "actor": experiment.actor,
        "shipped": experiment.shipped,
        "repeat": repeat(experiment),
    }
    if blocks:
        told["blocks"] = blocks_of(experiment)
    return told


def blocks_of(experiment: Experiment) -> list[dict[str, Any]]:
    """All raw figures, in the order in which they were measured."""
    if experiment.shipped:
        return shipped.blocks(experiment)
    return [
        {
            "ordinal": block.ordinal,
            "pair": block.pair,
            "kind": block.kind,
            "side": block.side,
            "variant": block.variant,
            "began_at": block.began_at.isoformat(),
            "took_s": block.took_s,
            "figures": block.figures,
        }
        for block in experiment.blocks.order_by("ordinal")
    ]


def is_short(experiment: Experiment) -> bool:
    """Proved to be worth having, and less than the source says."""
    return experiment.verdict == "proved" and experiment.found.get("claimed_reached") is False


def verdict_of(experiment: Experiment) -> str:
    return (
        f"{experiment.verdict}, less than claimed" if is_short(experiment) else experiment.verdict
    )


def summary(experiment: Experiment) -> str:
    """Of one that is done: `proved: claimed -60.0%, measured -62.4% (-63.3% to -53.6%) item_ms`."""
    claim, when = experiment.claimed, experiment.began_at
    by = "by the release" if experiment.shipped else "here"
    measured = f"measured {_effect(experiment.found['effect'])}"
    claimed = f"claimed {_expected(claim)}"
    return f"{verdict_of(experiment)}: {claimed}; {measured}, {by} on {when:%Y-%m-%d}"


def as_words(experiment: Experiment) -> str:
    claim = experiment.claimed
    head = f"{experiment.claim}: {claim['title']} ({', '.join(experiment.optimisations)})"
    lines = [head, f"  {experiment.flag}: {experiment.baseline} against {experiment.treatment}"]
    lines.append(f"  claimed    {_expected(claim)} ({claim['source']}: {claim['says']!r})")
    if experiment.state == State.DONE:
        lines += _measured(experiment)
    else:
        number = experiment.blocks.count()
        lines.append(f"  measured   nothing: {experiment.state} after {number} blocks")
        lines.append(f"  {experiment.why}")
    if claim["note"]:
        lines.append(f"  note       {claim['note']}")
    lines += _made(experiment)
    return "\n".join(lines)


def cells(experiment: Experiment) -> tuple[str, ...]:
    """Of one that is done, for a row of a table: claimed, measured, noise, verdict, power."""
    claim, found = experiment.claimed, experiment.found
    shares = ", ".join(f"{each.share:.0%}" for each in powers.finds(experiment))
    measured = f"{_effect(found['effect'])} {claim['metric']}"
    verdict = verdict_of(experiment)
    return (_expected(claim), measured, _effect(found["noise"]), verdict, shares or "–")


def line(experiment: Experiment) -> str:
    """All of it in one."""
    found, when = experiment.found, experiment.created_at
    measured = f"{_effect(found['effect'])}" if found else experiment.state
    return (
        f"{experiment.pk:>5}  {when:%Y-%m-%d %H:%M}  {experiment.claim:<28} "
        f"{experiment.verdict or experiment.state:<13} {measured}"
    )


def _measured(experiment: Experiment) -> list[str]:
    claim, found = experiment.claimed, experiment.found
    means, noise = found["means"], found["noise"]
    reached = found["claimed_reached"]
    change = f"{means['baseline']:.4g} → {means['treatment']:.4g}"
    lines = [
        f"  measured   {_effect(found['effect'])} {claim['metric']}, 95 %; {change}",
        f"  noise      {_effect(noise)}: the baseline against itself",
        f"  verdict    {verdict_of(experiment)}. {experiment.why}",
    ]
    if reached is not None:
        said = _standing(claim, found["effect"]) if reached else "is not reached here"
        lines.append(
            f"  so         the claimed {_number(claim['expected'], claim['scale'])} {said}"
        )
    if (carried := found["carry_over"]) is not None:
        lines.append(f"  carry-over {_effect(carried)}: towards the arm before")
    for guard in found["guards"]:
        held = "held" if guard["held"] else "BROKEN"
        lines.append(
            f"  guard      {guard['metric']} {_effect(guard['effect'])},"
            f" at most {guard['most']:+.0%}: {held}"
        )
    return lines


def _standing(claim: dict[str, Any], found: dict[str, Any]) -> str:
    """Of what is reached: whether all of the interval is beyond it."""
    if claim["direction"] == "less":
        is_beyond = found["high"] < claim["expected"]
    else:
        is_beyond = found["low"] > claim["expected"]
    return "is surpassed here" if is_beyond else "may be true here"


def _made(experiment: Experiment) -> list[str]:
    machine, began = experiment.machine, experiment.began_at
    if began is None:
        return []
    when = f"{began:%Y-%m-%d %H:%M} UTC, {experiment.pairs} pairs of each kind"
    where = f"{machine['processors']} × {machine['processor']}, Python {machine['python']}"
    revisions = f"code {experiment.code_revision}, flags {experiment.flag_revision}"
    return [
        f"  made       {when}, on {where}, load {machine['load']}; {revisions}",
        f"  repeat     {repeat(experiment)}",
    ]


def _expected(claim: dict[str, Any]) -> str:
    if claim["expected"] is None:
        return f"{claim['direction']} {claim['metric']}, by no figure"
    return f"{_number(claim['expected'], claim['scale'])} {claim['metric']}"


def _effect(found: dict[str, Any]) -> str:
    scale = found["scale"]
    low, high = _number(found["low"], scale), _number(found["high"], scale)
    return f"{_number(found['estimate'], scale)} ({low} to {high})"


def _number(value: float, scale: str) -> str:
    return f"{value:+.1%}" if scale == "ratio" else f"{value:+.4g}"
