"""Verifies a bundle: validates its item again from its answers alone, and compares."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from validation.checkpoint import Checkpoint
from validation.evidence import accusations
from validation.evidence.bundle import Bundle, Claimed, Unreadable, digest_of
from validation.evidence.packing import read
from validation.evidence.recorded import Recorded, RecordedChain
from validation.lineage import lineage_to
from validation.subjects import Subject, SubjectError, parse_subject
from validation.validators import Check, Grounds, Outcome, Status, validate

_MOST_TOLD = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`same`: the computation says what the bundle says, and the digest is that of its content.
    `differences` are sentences for a person, empty where it is the same.
    """

    same: bool
    outcome: Outcome
    """What the computation says, with what was computed and claimed in each check."""
    differences: tuple[str, ...]
    bundle: Bundle


def verify(document: bytes) -> Finding:
    """Verifies the bundle in a file, with no network. BundleError where the file is none.

    In a thread of its own, for the caller's may be running a loop already.
    """
    found: list[Finding] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(reverify(document)))
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            failed.append(exc)

    thread = threading.Thread(target=run, name="verify")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


async def reverify(document: bytes) -> Finding:
    """`verify`, for who runs a loop."""
    bundle = read(document)
    recorded = Recorded.of(bundle)
    outcome = await validate(
        _subject(bundle),
        level=bundle.level,
        fetcher=recorded,
        grounds=_grounds(bundle, recorded),
        explain=True,
    )
    found = [
        *_of_digest(bundle, digest_of(document)),
        *_missing(recorded),
        *_differences(bundle.outcome, outcome),
    ]
    if len(found) > _MOST_TOLD:
        found = [*found[:_MOST_TOLD], f"… and {len(found) - _MOST_TOLD} more."]
    return Finding(same=not found, outcome=outcome, differences=tuple(found), bundle=bundle)


def _subject(bundle: Bundle) -> Subject:
    try:
        subject = parse_subject(bundle.subject)
    except SubjectError as exc:
        raise Unreadable(f"its subject is none: {exc}") from None
    if str(subject) != bundle.subject:
        raise Unreadable(f"its subject {bundle.subject!r} is not written as {str(subject)!r}")
    return subject


def _grounds(bundle: Bundle, recorded: Recorded) -> Grounds:
    context = bundle.context
    trusted, chain = context.checkpoint, context.chain
    checkpoint = None if trusted is None else Checkpoint(trusted.number, trusted.hash)
    return Grounds(
        chain_id=context.chain_id,
        checkpoint=checkpoint,
        lineage=lineage_to(checkpoint),
        finality=None if chain is None else RecordedChain(chain, bundle.outcome.block),
        others=None if context.others is None else recorded,
        now=lambda: bundle.made_at,
    )


def _of_digest(bundle: Bundle, computed: str) -> Iterator[str]:
    if bundle.digest != computed:
        claimed = bundle.digest or "none"
        yield f"The digest of the content is {computed}, the bundle says {claimed}."


def _missing(recorded: Recorded) -> Iterator[str]:
    for asked in recorded.refused:
        yield f"The verdict needs {asked}, which the bundle does not answer."
    for asked in recorded.unused:
        yield f"No check needs {asked}, which the bundle answers."


def _differences(claimed: Claimed, computed: Outcome) -> Iterator[str]:
    for name in ("verdict", "level", "reason"):
        mine, its = getattr(computed, name), getattr(claimed, name)
        if mine != its:
            yield f"The {name} is {mine}, the bundle says {its}."
    if computed.block != claimed.block:
        yield f"The item's block is {computed.block}, the bundle says {claimed.block}."
    yield from accusations.differences(claimed, computed)
    names = [check.name for check in computed.checks]
    if names != [check.name for check in claimed.checks]:
        listed = ", ".join(check.name for check in claimed.checks)
        yield f"The checks are {', '.join(names)}; the bundle lists {listed}."
        return
    for mine_check, its_check in zip(computed.checks, claimed.checks, strict=True):
        yield from _of_check(mine_check, its_check)


def _of_check(computed: Check, claimed: Check) -> Iterator[str]:
    """What was compared is told of a check that failed, and of others where they were explained."""
    name = computed.name
    if computed.status != claimed.status:
        yield f"{name}: {computed.status}, the bundle says {claimed.status}."
        return
    if not claimed.computed and not claimed.claimed:
        # What a flaw of another kind says in its text alone.
        if claimed.status == Status.FAIL and computed.detail != claimed.detail:
            yield f"{name}: {computed.detail}; the bundle says {claimed.detail or 'nothing'}."
            return
        if claimed.status != Status.FAIL:
            return
    if computed.computed != claimed.computed:
        yield f"{name}: computed {computed.computed}, the bundle says {claimed.computed}."
    if computed.claimed != claimed.claimed:
        yield f"{name}: the node said {computed.claimed}, the bundle says {claimed.claimed}."
