"""How a breaker refuses a call, each error saying what may be done about it."""

import math
from typing import ClassVar


class ResilienceError(Exception):
    """Base of what this package raises on the path of a call."""

    retryable: ClassVar[bool] = True
    trips_breaker: ClassVar[bool] = False


class Rejected(ResilienceError):
    """The breaker lets no call pass. Made without a Python constructor: an open breaker is asked
    often, and must cost little more than a bare raise. Arguments: name, seconds (or inf), forced.
    """

    @property
    def name(self) -> str:
        return str(self.args[0])

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until asking may help; None: when a probe under way decides, or an operator."""
        seconds: float = self.args[1]
        return None if seconds == math.inf else seconds

    @property
    def forced(self) -> bool:
        """True where an operator holds the breaker open."""
        return bool(self.args[2])

    def __str__(self) -> str:
        if self.forced:
            said = f"breaker {self.name} is held open by an operator"
            return said if self.retry_after_s is None else f"{said} for {self.retry_after_s:.1f} s"
        if self.retry_after_s is None:
            return f"breaker {self.name} is half open and its probes are all under way"
        return f"breaker {self.name} is open; it lets a probe pass in {self.retry_after_s:.1f} s"


class CallTimedOut(ResilienceError, TimeoutError):
    """The call did not end within the time it was given, and was cancelled."""

    trips_breaker = True


def is_fault(error: BaseException) -> bool:
    """Whether the error speaks against what was called. It may say so itself (`trips_breaker`)."""
    return bool(getattr(error, "trips_breaker", isinstance(error, Exception)))
