"""The cache from outside its loop: operators' purges and bounds, and what it says of itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from validation.cache.sizing import read_memory
from validation.cache.tiered import TieredCache

_WAIT_S: Final = 2.0


class Steering:
    """For any thread. What it does has been done when it returns; TimeoutError where the loop had
    no turn for it: nothing was acknowledged then, and it may be asked for again.
    """

    def __init__(
        self,
        cache: TieredCache,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._cache = cache
        self._loop = loop
        self._revision = 0

    def purge(self, tag: str, *, age_s: float, revision: int) -> None:
        """Drops what bears `tag` ("all": everything) and is older than `age_s`. Every process does
        so, and Valkey keeps the latest: `revision` is not asked, which a restored database may have
        turned back.
        """
        del revision
        self._in_loop(lambda: self._cache.purge(tag, age_s=age_s))

    def resize(self, settings: Mapping[str, float], *, revision: int) -> None:
        """L1's bounds by name; those not named are as a flag says, or as configured."""
        self._in_loop(lambda: self._cache.bounds.obey(settings))
        self._revision = revision

    def fit(self, *, processes: int) -> None:
        """Has L1's bytes follow the memory that is left, as its sizing says, where no operator said
        how many it is to have, at the loop's next turn. To be called every few seconds, by who must
        not wait for that.
        """
        memory = read_memory()
        if memory is not None:
            self._soon(lambda: self._cache.bounds.fit(memory, processes=processes))

    def shrink(self, share: float) -> None:
        """Lets go of all but so much of what L1 holds; its bounds stay."""
        self._in_loop(lambda: self._cache.l1.shrink(share))

    def reads(self, keys: Sequence[bytes]) -> list[bool]:
        """Whether what lies in Valkey under each counts here; nothing is asked for or kept. Not to
        be called by the loop. TimeoutError where Valkey did not answer.
        """
        l2 = self._cache.l2
        if l2 is None or not keys:
            return [False] * len(keys)
        unanswered = l2.errors + l2.skipped
        asked = asyncio.run_coroutine_threadsafe(l2.read_many(list(keys)), self._loop)
        found = [payload is not None for payload in asked.result(_WAIT_S)]
        if l2.errors + l2.skipped > unanswered:
            raise TimeoutError("The cache server did not answer in time what lies there.")
        return found

    def report(self) -> dict[str, Any]:
        """The fields of a `CacheReport`."""
        cache, l1, l2, counts = self._cache, self._cache.l1, self._cache.l2, self._cache.counts
        found = {
            "policy": l1.policy,
            "entries": len(l1),
            "bytes": l1.bytes,
            "max_entries": l1.max_entries,
            "max_bytes": l1.max_bytes,
            "evicted": l1.counters.evicted,
            "expired": l1.counters.expired,
            "kinds": {name: kind.as_dict() for name, kind in dict(counts.kinds).items()},
            "coalesced": counts.coalesced,
            "invalidated": counts.invalidated,
            "warmed": counts.warmed,
            "curve": cache.points,
            "sampled": cache.curve.sampled,
            "revision": self._revision,
        }
        if l2 is not None:
            found |= {
                "l2_reachable": cache.wire is not None,
                "codecs": dict(l2.codecs),
                "bytes_raw": l2.bytes_raw,
                "bytes_stored": l2.bytes_stored,
                "corrupt": l2.corrupt,
            }
        return found

    def _soon(self, act: Callable[[], object]) -> None:
        if _running_loop() is self._loop:
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def _in_loop(self, act: Callable[[], object]) -> None:
        if _running_loop() is self._loop:
            act()
            return
        done: Future[None] = Future()

        def run() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                done.set_exception(error)
            else:
                done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(_WAIT_S)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
