"""Whether calls that failed are asked again, and when: variants behind one Protocol, by name."""

from collections.abc import Callable, Mapping
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from validation.resilience import Backoff, Pauses, RetryBudget
from validation.rpc.errors import RpcError

if TYPE_CHECKING:
    from validation.rpc.config import RpcConfig


class Verdict(Enum):
    """What becomes of calls whose batch, or whose own answer, failed."""

    ELSEWHERE = "elsewhere"
    """Asked of another node at once."""
    LATER = "later"
    """Asked again after a back-off."""
    NEVER = "never"


class RetryPolicy(Protocol):
    """Belongs to one client's loop."""

    def counts(self, error: RpcError) -> bool:
        """Whether this failure uses up an attempt."""

    def judge(self, error: RpcError, *, attempts: int, has_other_node: bool) -> Verdict:
        """After so many attempts, the last of which met this error."""

    def delay_s(self, attempts: int, retry_after_s: float | None) -> float:
        """Before what is judged LATER."""

    def spend(self, calls: int) -> bool:
        """Whether these calls may be asked later, which is then paid for."""


def judge(error: RpcError, *, attempts: int, max_attempts: int, has_other_node: bool) -> Verdict:
    """Another node is worth asking whenever the fault is this node's, even one that will not pass
    by itself; the same node only where time may help.
    """
    if attempts >= max_attempts:
        return Verdict.NEVER
    if has_other_node and (error.retryable or error.trips_breaker):
        return Verdict.ELSEWHERE
    return Verdict.LATER if error.retryable else Verdict.NEVER


class NoRetry:
    """The baseline: whoever asked is told of the first failure."""

    def counts(self, error: RpcError) -> bool:
        del error
        return True

    def judge(self, error: RpcError, *, attempts: int, has_other_node: bool) -> Verdict:
        del error, attempts, has_other_node
        return Verdict.NEVER

    def delay_s(self, attempts: int, retry_after_s: float | None) -> float:
        del attempts
        return retry_after_s or 0.0

    def spend(self, calls: int) -> bool:
        del calls
        return False


class GrowingPauses:
    """As the sources wrote it: three attempts in all with a pause before each but the first, that
    doubles from 100 ms up to 2 s and is up to 30 % longer by chance. Nothing bounds how many calls
    do so at once. After the pause the best node is asked that was not tried.
    """

    _MAX_ATTEMPTS: Final = 3

    def __init__(self, random: Random) -> None:
        self._pauses = Pauses(base_s=0.1, cap_s=2.0, jitter=0.3, random=random)

    def counts(self, error: RpcError) -> bool:
        del error
        return True

    def judge(self, error: RpcError, *, attempts: int, has_other_node: bool) -> Verdict:
        verdict = judge(
            error,
            attempts=attempts,
            max_attempts=self._MAX_ATTEMPTS,
            has_other_node=has_other_node,
        )
        return Verdict.LATER if verdict is Verdict.ELSEWHERE else verdict

    def delay_s(self, attempts: int, retry_after_s: float | None) -> float:
        return max(self._pauses.delay_s(attempts), retry_after_s or 0.0)

    def spend(self, calls: int) -> bool:
        del calls
        return True


class Budgeted:
    """Another node at once, the same after a back-off with full jitter, within a share of all
    calls: an outage is not answered with a multiple of the load.
    """

    def __init__(self, config: "RpcConfig", budget: RetryBudget, random: Random) -> None:
        self._max_attempts = config.max_attempts
        self._budget = budget
        self._backoff = Backoff(
            base_s=config.backoff_base_s, cap_s=config.backoff_cap_s, random=random
        )

    def counts(self, error: RpcError) -> bool:
        return error.retry_after_s is None  # a node that says when to come back is believed

    def judge(self, error: RpcError, *, attempts: int, has_other_node: bool) -> Verdict:
        return judge(
            error,
            attempts=attempts,
            max_attempts=self._max_attempts,
            has_other_node=has_other_node,
        )

    def delay_s(self, attempts: int, retry_after_s: float | None) -> float:
        return self._backoff.delay_s(attempts, retry_after_s)

    def spend(self, calls: int) -> bool:
        return self._budget.spend(calls)


type PolicyFactory = Callable[["RpcConfig", RetryBudget, Random], RetryPolicy]

RETRIES: Final[Mapping[str, PolicyFactory]] = {
    "none": lambda _config, _budget, _random: NoRetry(),
    "backoff": lambda _config, _budget, random: GrowingPauses(random),
    "budgeted": Budgeted,
}
