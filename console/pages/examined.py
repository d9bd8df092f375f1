"""How the answer about an item is laid out: rungs with their checks, and where the time went."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from console.pages.figures import latency
from console.pages.states import State
from validation.evidence.ladder import Rung, Standing, of_no_level, rungs
from validation.rpc import Span
from validation.subjects import Kind
from validation.validators import CHECKS, Check, Status, Verdict

STANDINGS: dict[Standing, State] = {
    Standing.REACHED: State(glyph="closed", word="Reached"),
    Standing.FAILED: State(glyph="open", word="Failed"),
    Standing.UNKNOWN: State(glyph="half", word="Not reached"),
    Standing.NOT_TRIED: State(glyph="idle", word="Not tried"),
    Standing.NOT_ASKED: State(glyph="idle", word="Not asked"),
    Standing.NOT_BUILT: State(glyph="idle", word="Not built"),
}
# Longer than this is shown by its two ends.
_PLAIN, _HEAD, _TAIL = 26, 10, 8
_LEAST_WIDTH = 0.7
_LEAST_GAP = 0.04
_CHECK = "check:"
_UNTOLD = "untold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A value that was compared: whole, and by its ends where it is long."""

    text: str
    head: str = ""
    tail: str = ""

    @classmethod
    def of(cls, text: str) -> "Compared":
        if len(text) <= _PLAIN or " " in text:
            return cls(text=text)
        return cls(text=text, head=text[:_HEAD], tail=text[-_TAIL:])


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check. `same` is what was computed and claimed alike."""

    status: str
    name: str
    says: str
    detail: str = ""
    same: Compared | None = None
    computed: Compared | None = None
    claimed: Compared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RungRow:
    """One level of the ladder. Open where there is something to see that did not simply pass."""

    level: int
    name: str
    state: State
    is_reached: bool
    is_open: bool
    says: str
    checks: tuple[CheckRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time: `left` and `width` in percent of all of it."""

    name: str
    shade: str
    left: float
    width: float
    said: str
    ms: float
    node: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """Where the time of one item went: its questions, then its checks."""

    asked: tuple[Bar, ...]
    checked: tuple[Bar, ...]
    total_ms: float
    checks_ms: float


def ladder(
    kind: str, *, verdict: str, reached: int, asked: int | None, reason: str, checks: Any
) -> tuple[list[RungRow], list[CheckRow]]:
    """The rungs, and the checks that this release does not know."""
    made = msgspec.convert(checks, list[Check])
    found = rungs(
        Kind(kind),
        verdict=Verdict(verdict),
        reached=reached,
        asked=asked,
        reason=reason,
        checks=made,
    )
    return [_rung(rung) for rung in found], [_check(check) for check in of_no_level(made)]


def waterfall(spans: Sequence[Span], ms: float) -> Waterfall | None:
    """Of `ms` milliseconds in all. None where there is nothing to draw."""
    total = max((span.at_ms + span.ms for span in spans), default=0.0)
    if total <= 0:
        return None
    total = max(total, ms)
    checks = [span for span in spans if span.name.startswith(_CHECK)]
    asked = [span for span in spans if not span.name.startswith(_CHECK)]
    told = sorted([*asked, *_gaps(spans, total)], key=lambda span: span.at_ms)
    return Waterfall(
        asked=tuple(_bar(span, total) for span in told),
        checked=tuple(_bar(span, total) for span in checks),
        total_ms=total,
        checks_ms=sum(span.ms for span in checks),
    )


def _gaps(spans: Iterable[Span], total: float) -> Iterator[Span]:
    """Stretches that nothing tells about, where they are long enough to be asked about."""
    end = Span(name=_UNTOLD, at_ms=total, ms=0.0)
    reached = 0.0
    for span in (*sorted(spans, key=lambda span: span.at_ms), end):
        if span.at_ms - reached > total * _LEAST_GAP:
            yield Span(name=_UNTOLD, at_ms=reached, ms=span.at_ms - reached, note=_UNTOLD)
        reached = max(reached, span.at_ms + span.ms)


def changes(then: Iterable[Check], now: Iterable[Check]) -> list[tuple[str, str, str]]:
    """(check, status then, status now) of those that are not as they were; "" where not made."""
    before = {check.name: str(check.status) for check in then}
    after = {check.name: str(check.status) for check in now}
    return [
        (name, before.get(name, ""), after.get(name, ""))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _rung(rung: Rung) -> RungRow:
    count = len(rung.checks)
    failed = sum(1 for check in rung.checks if check.status == Status.FAIL)
    skipped = sum(1 for check in rung.checks if check.status == Status.SKIP)
    told = [_passed(rung.passed, count)] if count else []
    told += [f"{failed} failed"] if failed else []
    told += [f"{skipped} skipped"] if skipped else []
    return RungRow(
        level=rung.level,
        name=rung.name,
        state=STANDINGS[rung.standing],
        is_reached=rung.standing is Standing.REACHED,
        is_open=bool(failed or skipped),
        says=". ".join(text for text in (", ".join(told), rung.why.rstrip(".")) if text) + ".",
        checks=tuple(_check(check) for check in rung.checks),
    )


def _passed(passed: int, count: int) -> str:
    if passed == count:
        return "Its check passed" if count == 1 else f"All {count} checks passed"
    return f"{passed} of {count} checks passed"


def _check(check: Check) -> CheckRow:
    says = CHECKS[check.name].states if check.name in CHECKS else ""
    computed, claimed = check.computed, check.claimed
    if not computed and not claimed:
        return CheckRow(status=check.status, name=check.name, says=says, detail=check.detail)
    if computed == claimed:
        same = Compared.of(computed)
        return CheckRow(status=check.status, name=check.name, says=says, same=same)
    return CheckRow(
        status=check.status,
        name=check.name,
        says=says,
        computed=Compared(text=computed),
        claimed=Compared(text=claimed),
    )


def _bar(span: Span, total: float) -> Bar:
    name, shade = _NAMES.get(span.name, (span.name, "shade-3"))
    if span.name.startswith(_CHECK):
        name, shade = span.name.removeprefix(_CHECK), "shade-2"
    width = max(100 * span.ms / total, _LEAST_WIDTH)
    return Bar(
        name=name,
        shade=_FAILED if span.name == "attempt" and span.note else shade,
        left=min(100 * span.at_ms / total, 100 - width),
        width=width,
        said=f"from {latency(span.at_ms)}, for {latency(span.ms)}",
        ms=span.ms,
        node=span.node,
        note=_NOTES.get(span.note, span.note),
    )


_FAILED = "fill-open"
# What is waited for is light, what is worked on dark.
_NAMES = {
    "queue": ("Waited for its turn", "shade-3"),
    "l1": ("This process's cache", "shade-2"),
    "l2": ("The shared cache", "shade-2"),
    "shared": ("Another item's same question", "shade-3"),
    "breaker": ("Waited for the breaker", "shade-3"),
    "limiter": ("Waited for the limiter", "shade-3"),
    "rate": ("Waited for the rate limit", "shade-3"),
    "pool": ("Waited for a connection", "shade-3"),
    "attempt": ("Asked the node", "shade-1"),
    "backoff": ("Waited to ask again", "shade-3"),
    _UNTOLD: ("Not told apart", "shade-4"),
}
_NOTES = {
    "hit": "it was there",
    "miss": "it was not there",
    _UNTOLD: "what items share (their block, headers), and other items' turns",
}
