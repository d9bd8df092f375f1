"""When and whether to ask again: exponential back-off with full jitter, under a budget."""

from random import Random

_MAX_DOUBLINGS = 16


class Backoff:
    """Seconds before the next attempt: anywhere between 0 and a ceiling that doubles."""

    __slots__ = ("_base_s", "_cap_s", "_random")

    def __init__(self, *, base_s: float, cap_s: float, random: Random) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random

    def delay_s(self, attempts: int, retry_after_s: float | None) -> float:
        """The delay after `attempts` attempts, never sooner than the node asked for."""
        ceiling = self._base_s * 2 ** min(attempts - 1, _MAX_DOUBLINGS)
        delay = self._random.uniform(0.0, min(ceiling, self._cap_s))
        return delay if retry_after_s is None else retry_after_s + delay


class Pauses:
    """Seconds before the next attempt: doubling from `base_s` up to `cap_s`, and longer by a share
    of up to `jitter` by chance.
    """

    __slots__ = ("_base_s", "_cap_s", "_jitter", "_random")

    def __init__(self, *, base_s: float, cap_s: float, jitter: float, random: Random) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._jitter = jitter
        self._random = random

    def delay_s(self, attempts: int) -> float:
        """After so many attempts."""
        pause = min(self._base_s * 2.0 ** min(attempts - 1, _MAX_DOUBLINGS), self._cap_s)
        return pause * (1 + self._random.uniform(0.0, self._jitter))


class RetryBudget:
    """A bucket filled by fresh calls and emptied by retried ones, so that an outage of the node
    is not answered with a multiple of the load.
    """

    __slots__ = ("_burst", "_ratio", "_tokens")

    def __init__(self, *, ratio: float, burst: int) -> None:
        self._ratio = ratio
        self._burst = float(burst)
        self._tokens = float(burst)

    @property
    def tokens(self) -> float:
        """How many calls may be asked again now."""
        return self._tokens

    def earn(self, calls: int) -> None:
        self._tokens = min(self._burst, self._tokens + calls * self._ratio)

    def spend(self, calls: int) -> bool:
        """True, and taken, where the budget allows these calls to be asked again."""
        if self._tokens < calls:
            return False
        self._tokens -= calls
        return True
