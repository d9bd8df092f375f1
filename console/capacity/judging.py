"""All limits of given numbers, violations first: a pure function, whatever the numbers are of."""

import msgspec

from console.capacity import connections, memory, timeouts, workers
from console.capacity.inputs import Inputs, changed
from console.capacity.limit import Limit, badness

_PARTS = (connections, workers, timeouts, memory)


def judge(inputs: Inputs) -> tuple[Limit, ...]:
    found = [one for part in _PARTS for one in part.limits(inputs)]
    return tuple(sorted(found, key=badness))


def violated(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    return tuple(one for one in limits if one.holds is False)


def unknown(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    return tuple(one for one in limits if one.holds is None)


def what_if(inputs: Inputs, number: int) -> Inputs:
    """The same with so many workers and WORKERS set to it; those here grow by as many."""
    from_here = inputs.memory
    if from_here is not None and from_here.workers:
        added = number - (inputs.planned or 0)
        here = max(0, from_here.workers + added)
        from_here = msgspec.structs.replace(from_here, workers=here)
    return changed(inputs, workers=number, declared=number, memory=from_here)
