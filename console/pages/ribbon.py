"""What a breaker did over a span of time: one lane a process, drawn from its own transitions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from console.pages import states
from console.pages.states import State
from monitoring.snapshots import Transition

# Ranges by one click: name in the address, seconds.
RANGES = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
# What stands under a ribbon, evenly from left to right.
TICKS = {
    "15m": ("15 min ago", "10 min", "5 min", "now"),
    "1h": ("60 min ago", "45 min", "30 min", "15 min", "now"),
    "6h": ("6 h ago", "4 h", "2 h", "now"),
    "24h": ("24 h ago", "18 h", "12 h", "6 h", "now"),
    "7d": ("7 d ago", "6", "5", "4", "3", "2", "1", "now"),
}
DEFAULT_RANGE = "15m"
# Processes tell so many changes; what was before the oldest of a full list nobody knows.
KEPT = 20
# A state that lasted a moment is seen too.
_LEAST_PART = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One state from `left` for `width` percent of the lane; `state` None: not known."""

    left: float
    width: float
    state: State | None
    begins: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """`changes` counts those within the span of time that is drawn."""

    process: str
    title: str
    spans: tuple[Span, ...]
    changes: int

    @property
    def said(self) -> str:
        """The lane in words."""
        known = [span for span in self.spans if span.state]
        if not known:
            return f"{self.process}: no data"
        last = known[-1]
        word = last.state.word if last.state else ""
        times = "once" if self.changes == 1 else f"{self.changes} times"
        change = f"changed {times}" if self.changes else "no change"
        return f"{self.process}: {word} since {last.begins:%H:%M:%S} or before, {change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one process says of the past of a breaker: when it was made, what it is, what changed.

    `made_at` None: that process does not tell, and before its first change nothing is known.
    """

    process: str
    title: str
    state: str
    made_at: float | None
    seen_at: float
    transitions: Sequence[Transition]


def lane(record: Record, *, until: float, span_s: float) -> Lane:
    since = until - span_s
    # Its word ends where it was last heard: after that nothing is known.
    end = min(until, record.seen_at)
    spans = []
    for begins, ends, state in _states(record):
        left, right = max(begins, since), min(ends, end)
        if right <= left:
            continue
        spans.append(
            Span(
                left=100 * (left - since) / span_s,
                width=max(100 * (right - left) / span_s, _LEAST_PART),
                state=states.of_breaker(state) if state else None,
                begins=datetime.fromtimestamp(left, tz=UTC),
            )
        )
    changes = sum(since <= change.at <= until for change in record.transitions)
    return Lane(process=record.process, title=record.title, spans=tuple(spans), changes=changes)


def lanes(records: Iterable[Record], *, until: float, span_s: float) -> tuple[Lane, ...]:
    return tuple(lane(record, until=until, span_s=span_s) for record in records)


def _states(record: Record) -> Iterator[tuple[float, float, str]]:
    """(from, to, state) in order of time, "" where the state is not known."""
    changes = sorted(record.transitions, key=lambda change: change.at)
    if not changes:
        if record.made_at is not None:
            yield record.made_at, record.seen_at, record.state
        return
    first = changes[0]
    if record.made_at is not None:
        yield record.made_at, first.at, "" if len(changes) >= KEPT else first.before
    for change, following in pairwise(changes):
        yield change.at, following.at, change.after
    yield changes[-1].at, record.seen_at, changes[-1].after
