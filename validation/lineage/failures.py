"""What the walks of a moment ago failed of, so that those after them do not walk into the same."""

from collections.abc import Callable
from typing import Final, NamedTuple

from validation.lineage.headers import Broken, Headers, Unlinked
from validation.rpc import RpcError
from validation.validators.asking import Fetcher

BLOCKED_S: Final = 1.0
"""As long as a way that is blocked is not walked again: thousands of items may lie beyond."""


class _Blocked(NamedTuple):
    fetcher: Fetcher
    """Held, so that no other takes its id meanwhile."""
    failed: Unlinked
    is_fresh: bool
    until: float


class Failures:
    """Of one lineage. What one fetcher was told holds for no other."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._blocked: dict[tuple[int, bool], _Blocked] = {}
        self._error: tuple[Fetcher, RpcError] | None = None

    def begin(self) -> None:
        """A walk: what the one before it failed of is nobody's any more who comes now."""
        self._error = None

    def failed(self, error: RpcError, headers: Headers) -> None:
        self._error = headers.fetcher, error

    def blocked(self, failed: Unlinked, headers: Headers, *, upwards: bool) -> None:
        now = self._clock()
        is_fresh = headers.fresh or isinstance(failed, Broken)  # of that the last look is fresh
        block = _Blocked(headers.fetcher, failed, is_fresh, now + BLOCKED_S)
        self._blocked = {key: one for key, one in self._blocked.items() if now < one.until}
        self._blocked[id(headers.fetcher), upwards] = block

    def raise_error(self, headers: Headers) -> None:
        """For whoever waited while a walk failed: it would ask the same nodes once more."""
        if self._error is not None and self._error[0] is headers.fetcher:
            raise self._error[1].clone()

    def raise_blocked(self, number: int, headers: Headers, *, upwards: bool) -> None:
        """Where the way to `number` leads past what was seen a moment ago."""
        block = self._blocked.get((id(headers.fetcher), upwards))
        if block is None or self._clock() >= block.until:
            return
        at = block.failed.at
        is_beyond = at <= number if upwards else at >= number
        if is_beyond and (block.is_fresh or not headers.fresh):
            raise block.failed.with_traceback(None)
