"""Keeps a process below its memory's limit: what is only remembered goes, and then no work comes.

As the sources' monitor does it: from 85 % on half of what is remembered goes, from 95 % on all of
it. A process that is killed for its memory loses more than that.
"""

import ctypes
import gc
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, Protocol

import structlog

from validation.footprint import Footprint

_log = structlog.get_logger(__name__)

type Level = Literal["ok", "half", "all"]

HALF_AT: Final = 0.85
ALL_AT: Final = 0.95
# Below these it is over: lower than where it began, or it would come and go with each chunk.
HALF_UNTIL: Final = 0.80
ALL_UNTIL: Final = 0.90
LOOK_EVERY_S: Final = 1.0
# What was let go is given back slowly, if at all: it is not all the memory's fault.
DROP_AGAIN_S: Final = 5.0
# Everything was let go so long ago, and it did not help: nothing but a new process will.
HOPELESS_S: Final = 60.0


class Watch(Protocol):
    @property
    def name(self) -> str: ...

    def level(self, before: Level, share: float) -> Level: ...


class Off:
    """The baseline: whatever becomes of it."""

    name: Final = "off"

    def level(self, before: Level, share: float) -> Level:
        del before, share
        return "ok"


class On:
    name: Final = "on"

    def level(self, before: Level, share: float) -> Level:
        if share >= (ALL_UNTIL if before == "all" else ALL_AT):
            return "all"
        return "half" if share >= (HALF_AT if before == "ok" else HALF_UNTIL) else "ok"


WATCHES: Final[dict[str, Watch]] = {watch.name: watch for watch in (Off(), On())}


class MemoryGuard:
    """`read` tells what is held and what may be. `drop_half` and `drop_all` let go of what is only
    remembered; TimeoutError where they could not. To be tended from one thread; read from any.
    """

    def __init__(
        self,
        read: Callable[[], Footprint | None],
        *,
        drop_half: Callable[[], object],
        drop_all: Callable[[], object],
        give_back: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._drops = {"half": drop_half, "all": drop_all}
        self._give_back = give_back or give_memory_back
        self._clock = clock
        self._watch: Watch = WATCHES["on"]
        self._next_look = self._next_drop = self._refuses_since = float("-inf")
        self._seen: Footprint | None = None
        self.level: Level = "ok"
        self.drops = 0
        """How often something was let go."""

    @property
    def use(self) -> str:
        return self._watch.name

    def set_use(self, name: str) -> None:
        """By a name of `WATCHES`, in force at the next look, which is due at once; any thread's.
        ValueError where there is none of that name.
        """
        if name not in WATCHES:
            raise ValueError(f"memory guard: there is none named {name!r}; {_list(WATCHES)}")
        if name != self._watch.name:
            self._watch = WATCHES[name]
            self._next_look = float("-inf")

    @property
    def refuses(self) -> bool:
        """Whether no chunk should be begun: this one may be the last straw."""
        return self.level == "all"

    @property
    def is_hopeless(self) -> bool:
        """It refused for so long, with nothing left to let go: only a new process helps."""
        return self.refuses and self._clock() - self._refuses_since >= HOPELESS_S

    def tend(self) -> Level:
        """Looks, where a look is due, and does what is to be done. Never raises."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY_S
            self._seen = seen = self._read()
            # No data is no reason: what cannot be seen cannot be guarded.
            level = "ok" if seen is None else self._watch.level(self.level, seen.share)
            self._go_to(level, now)
        return self.level

    def report(self) -> dict[str, Any]:
        """The fields of a `MemoryReport`."""
        seen = self._seen
        return {
            "guard": self.use,
            "level": self.level,
            "refuses": self.refuses,
            "used_bytes": None if seen is None else seen.used,
            "limit_bytes": None if seen is None else seen.limit,
            "drops": self.drops,
        }

    def _go_to(self, level: Level, now: float) -> None:
        before, self.level = self.level, level
        if level != before:
            self._tell(before)
            if level == "all":
                self._refuses_since = now
        is_worse = (before, level) in _WORSE
        if level != "ok" and (is_worse or now >= self._next_drop):
            self._next_drop = now + DROP_AGAIN_S
            self._let_go(level)

    def _let_go(self, level: Level) -> None:
        try:
            self._drops[level]()
        except TimeoutError:  # the loop had no turn for it; it is due again soon
            _log.warning("memory.not_dropped", level=level)
        self._give_back()
        self.drops += 1

    def _tell(self, before: Level) -> None:
        seen = self._seen
        tell = _log.info if self.level == "ok" else _log.warning
        tell(
            "memory.level",
            before=before,
            level=self.level,
            used_bytes=None if seen is None else seen.used,
            limit_bytes=None if seen is None else seen.limit,
            takes_work=not self.refuses,
        )


def give_memory_back() -> None:
    """To the system, as far as Python and its C library can."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # not every C library has it; the freed memory is used again all the same


_WORSE: Final = {("ok", "half"), ("ok", "all"), ("half", "all")}


def _list(names: Iterable[str]) -> str:
    return f"one of {', '.join(names)}"
