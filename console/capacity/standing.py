"""How the fleet stands against its limits, for whoever asks: pages, API, command, alerts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from console.capacity import live
from console.capacity.inputs import Inputs
from console.capacity.judging import judge, unknown, violated, what_if
from console.capacity.limit import Limit
from console.capacity.readiness import Point, readiness
from console.capacity.recommended import Value, recommended
from console.capacity.seen import Seen
from monitoring.alerts.rules import Observation

MOST_WORKERS = 512
"""As many as WORKERS takes."""
RULE = "capacity.exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Of one moment. `workers`: those reckoned with; None: nobody knows how many there are."""

    inputs: Inputs
    limits: tuple[Limit, ...]
    recommended: tuple[Value, ...]
    readiness: tuple[Point, ...]
    looked_at: datetime

    @property
    def workers(self) -> int | None:
        return self.inputs.planned

    @property
    def violated(self) -> tuple[Limit, ...]:
        return violated(self.limits)

    @property
    def unknown(self) -> tuple[Limit, ...]:
        return unknown(self.limits)


def limits(workers: int | None = None, seen: Seen | None = None) -> tuple[Limit, ...]:
    """As the fleet is, or would be with so many workers; violations first. Asks Valkey alone, and
    not even that where what was `seen` is given.
    """
    now = live.look(seen)
    return judge(now if workers is None else what_if(now, workers))


def capacity(workers: int | None = None, *, ready: bool = True) -> Capacity:
    """As it is, or as it would be with so many workers; `ready`: with what asks Postgres."""
    seen = Seen.look()
    now = live.look(seen)
    inputs = now if workers is None else what_if(now, workers)
    return Capacity(
        inputs=inputs,
        limits=judge(inputs),
        recommended=recommended(inputs),
        readiness=readiness(seen, now) if ready else (),
        looked_at=seen.fleet.read_at,
    )


def observations() -> Iterator[Observation]:
    """For the alert: 1 where a limit does not hold, None where nobody knows."""
    for one in limits():
        value = None if one.holds is None else float(not one.holds)
        yield Observation(subject=one.key, value=value, words=f"{one.title}. {one.explains}")
