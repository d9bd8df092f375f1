"""What becomes of calls that failed: asked elsewhere, later, or not again."""

from enum import Enum

from validation.rpc.errors import RpcError


class Verdict(Enum):
    """What becomes of calls whose batch, or whose own answer, failed."""

    ELSEWHERE = "elsewhere"
    """Asked of another node at once."""
    LATER = "later"
    """Asked again after a back-off."""
    NEVER = "never"


def judge(error: RpcError, *, attempts: int, max_attempts: int, has_other_node: bool) -> Verdict:
    """Another node is worth asking whenever the fault is this node's, even one that will not pass
    by itself; the same node only where time may help.
    """
    if attempts >= max_attempts:
        return Verdict.NEVER
    if has_other_node and (error.retryable or error.trips_breaker):
        return Verdict.ELSEWHERE
    return Verdict.LATER if error.retryable else Verdict.NEVER
