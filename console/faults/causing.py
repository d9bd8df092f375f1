"""Causes a fault for a while, with its healer at hand from before it begins."""

import time
from collections.abc import Callable

from console.faults.fault import CannotCause, Fault
from console.faults.healing import Healer

_TURN_S = 1.0
# Past its end by so much, a fault whose cause hangs is healed all the same.
_LATE_S = 30.0


def cause(fault: Fault, for_s: float, *, begun: Callable[[], None]) -> None:
    """Returns when it is over and healed; CannotCause says why it could not begin, go on or end.
    Whatever is raised meanwhile, Ctrl-C among it, ends the fault first.
    """
    healer = Healer(fault, within_s=for_s + _LATE_S)
    try:
        memo = fault.prepare()
        healer.tell(memo)
        fault.cause(memo)
        begun()
        until = time.monotonic() + for_s
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(min(_TURN_S, left_s))
            fault.keep(memo)
    finally:
        is_healed = healer.end()
    if not is_healed:
        raise CannotCause(f"{fault.name} could not be ended: see the line above.")
