"""What verifying a bundle found, in lines for a terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime

from validation.checkpoint import Checkpoint
from validation.evidence import accusations, trust
from validation.evidence.bundle import Bundle
from validation.evidence.ladder import Rung, Standing, of_no_level, rungs
from validation.evidence.recorded import REFUSED
from validation.evidence.trust import Ours
from validation.evidence.verifying import Finding
from validation.printable import printable
from validation.subjects import parse_subject
from validation.validators import CHECKS, REASONS, Agreement, Check, Status

_SAID = {
    Standing.REACHED: "reached",
    Standing.FAILED: "FAILED",
    Standing.UNKNOWN: "not reached",
    Standing.NOT_TRIED: "not tried",
    Standing.NOT_ASKED: "not asked",
    Standing.NOT_BUILT: "not built",
}
_WIDE = 20
_NOTHING = Ours()
_MOST_ACCUSED = 50


def lines(finding: Finding, *, ours: Ours = _NOTHING) -> Iterator[str]:
    """The ladder check by check, what is taken for granted, and where the bundle is wrong.

    `ours` is what is trusted here. Anybody may have written the bundle: what
    is in it is shown as what it is, and moves no cursor.
    """
    return map(printable, _lines(finding, ours))


def _lines(finding: Finding, ours: Ours) -> Iterator[str]:
    bundle, outcome = finding.bundle, finding.outcome
    yield f"{bundle.subject}"
    yield f"{outcome.verdict}, level {outcome.level} of {bundle.level} asked: " + REASONS.get(
        outcome.reason, outcome.reason
    )
    yield ""
    found = rungs(
        parse_subject(bundle.subject).kind,
        verdict=outcome.verdict,
        reached=outcome.level,
        asked=bundle.level,
        reason=outcome.reason,
        checks=outcome.checks,
    )
    for rung in found:
        yield from _rung(rung)
    for check in of_no_level(outcome.checks):
        yield from _check(check)
    for caught in accusations.shown(outcome):
        yield f"  caught      {caught.node} at {caught.check}, by its answers here"
    yield ""
    yield from _granted(finding, ours.checkpoint)
    yield ""
    yield from _conclusion(finding, ours)


def _rung(rung: Rung) -> Iterator[str]:
    yield f"  {rung.level} {rung.name:<{_WIDE}}{_SAID[rung.standing]}"
    if rung.why and not rung.checks:
        yield f"      {rung.why}"
    for check in rung.checks:
        yield from _check(check)


def _check(check: Check) -> Iterator[str]:
    states = CHECKS[check.name].states if check.name in CHECKS else ""
    yield f"      {check.status:<5} {check.name:<{_WIDE - 2}} {states}".rstrip()
    compared = check.computed or check.claimed
    if check.status != Status.PASS and check.detail and not compared:
        yield f"            {check.detail}"
    if compared:
        yield f"            computed {check.computed}"
        if check.claimed != check.computed:
            yield f"            claimed  {check.claimed}"


def _granted(finding: Finding, ours: Checkpoint | None) -> Iterator[str]:
    bundle, context = finding.bundle, finding.bundle.context
    made = datetime.fromtimestamp(bundle.made_at, UTC)
    nodes = ", ".join(dict.fromkeys(exchange.node for exchange in bundle.exchanges))
    yield "Taken for granted, as the bundle tells it:"
    yield f"  made        {made:%Y-%m-%d %H:%M:%S} UTC, from answers of {nodes}"
    yield f"  chain       {'not told' if context.chain_id is None else context.chain_id}"
    if context.checkpoint is not None:
        trusted = Checkpoint(context.checkpoint.number, context.checkpoint.hash)
        yield f"  checkpoint  {trusted.number}:{trusted.hash}{_whose(trusted, ours)}"
    if context.chain is not None and context.chain.final_number is not None:
        yield f"  final       up to block {context.chain.final_number}"
    if context.others:
        yield f"  nodes       {', '.join(context.others)} were in service"
    if bundle.outcome.reason in REFUSED:
        yield f"  refused     {REFUSED[bundle.outcome.reason][0]}, by the node"
    if bundle.outcome.agreement is not None:
        yield f"  agreement   {_agreed(bundle.outcome.agreement)}"
    for caught in accusations.granted(bundle.outcome, finding.outcome)[:_MOST_ACCUSED]:
        yield f"  caught      {accusations.named(caught)}; by answers that are not in this bundle"


def _agreed(agreement: Agreement) -> str:
    parts = [f"asked of {agreement.asked}, the same: {', '.join(agreement.agreed) or 'nobody'}"]
    for word, nodes in (("differ", agreement.differs), ("silent", agreement.silent)):
        if nodes:
            parts.append(f"{word}: {', '.join(each.node for each in nodes)}")
    return "; ".join(parts)


def _whose(trusted: Checkpoint, ours: Checkpoint | None) -> str:
    if ours is None:
        return ""
    if ours == trusted:
        return ", the one that is trusted here"
    return f", not the one trusted here: {ours.number}:{ours.hash}"


def _conclusion(finding: Finding, ours: Ours) -> Iterator[str]:
    differences = (*finding.differences, *trust.differences(finding.bundle, ours))
    if not differences:
        yield f"Verifies{_on_whose_word(finding.bundle, ours)}"
        return
    count = len(differences)
    yield f"DOES NOT VERIFY: {count} difference{'s' if count > 1 else ''}"
    for difference in differences:
        yield f"  {difference}"


def _on_whose_word(bundle: Bundle, ours: Ours) -> str:
    if trust.is_trusted(bundle, ours):
        return ": computed from the answers alone, it is what the bundle says."
    made = datetime.fromtimestamp(bundle.made_at, UTC)
    taken = []
    checkpoint = trust.checkpoint_of(bundle)
    if checkpoint is not None and trust.rests_on_checkpoint(bundle) and ours.checkpoint is None:
        taken.append(f"checkpoint {trust.shown(checkpoint)}")
    if bundle.context.chain_id is not None and ours.chain_id is None:
        taken.append(f"chain {bundle.context.chain_id}")
    return (
        f" ONLY IF YOU TRUST {' and '.join(taken)}, made {made:%Y-%m-%d %H:%M:%S} UTC: that is the "
        "bundle's own word. Name yours with --checkpoint number:hash, CHECKPOINT or NODE_CHAIN_ID."
    )
