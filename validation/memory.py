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
from validation.said import Said

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
# It refused for so long, with no chunk at hand: if this process grew, a new one will help.
HOPELESS_S: Final = 60.0
# The same where the limit is its own: nobody else could give way.
SPENT_S: Final = 5.0
# Grown: so many times what it began with, and so much of its part of all there is.
GROWN_TIMES: Final = 2.0
GROWN_SHARE: Final = 0.5


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
        give_back: Callable[[Level], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._drops = {"half": drop_half, "all": drop_all}
        self._give_back = give_back or give_memory_back
        self._clock = clock
        self._watch: Watch = WATCHES["on"]
        self._next_look = self._next_drop = float("-inf")
        # Since when it has refused with no chunk at hand.
        self._idle_since: float | None = None
        self._began_with: int | None = None
        self._seen: Footprint | None = None
        self._said = Said()
        self.level: Level = "ok"
        self.drops = 0
        """How often something was let go."""
        self.freed_bytes = 0
        """What went then, as far as the system got it back."""

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
        """It refused for so long, with nothing left to let go, and is what grew: only a new
        process helps. Where others took the memory, a new one would find no more of it.
        """
        since = self._idle_since
        patience_s = SPENT_S if self._seen is not None and self._seen.is_own else HOPELESS_S
        is_long = since is not None and self._clock() - since >= patience_s
        return self.refuses and is_long and self._has_grown()

    def tend(self, *, is_idle: bool = False) -> Level:
        """Looks, where a look is due, and does what is to be done. Never raises: where it cannot
        look, or let go, the level stays. `is_idle`: no chunk is at hand.
        """
        now = self._clock()
        try:
            if now >= self._next_look:
                self._next_look = now + LOOK_EVERY_S
                self._look(now)
                self._said.is_over("look")
        except Exception as error:  # noqa: BLE001 - said the first time, not each second
            if self._said.is_news("look", error):
                _log.exception("memory.not_looked_after", level=self.level)
        if not (is_idle and self.refuses):
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
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
            "freed_bytes": self.freed_bytes,
            "own_limit": seen is not None and seen.is_own,
        }

    def _has_grown(self) -> bool:
        seen, began_with = self._seen, self._began_with
        if seen is None or began_with is None:
            return False
        if seen.is_own:
            # A limit that a new process would reach again at once is too low, not a reason.
            return began_with < HALF_UNTIL * seen.limit
        return seen.used >= max(GROWN_TIMES * began_with, GROWN_SHARE * seen.fair)

    def _look(self, now: float) -> None:
        self._seen = seen = self._read()
        if self._began_with is None and seen is not None:
            self._began_with = seen.used
        # No data is no reason: what cannot be seen cannot be guarded.
        self._go_to("ok" if seen is None else self._watch.level(self.level, seen.share), now)

    def _go_to(self, level: Level, now: float) -> None:
        before, self.level = self.level, level
        if level != before:
            self._tell(before)
        is_worse = (before, level) in _WORSE
        if level != "ok" and (is_worse or now >= self._next_drop):
            self._next_drop = now + DROP_AGAIN_S
            self._let_go(level)

    def _let_go(self, level: Level) -> None:
        try:
            self._drops[level]()
        except TimeoutError:  # the loop had no turn for it; it is due again soon
            _log.warning("memory.not_dropped", level=level)
        self._give_back(level)
        self.drops += 1
        before, self._seen = self._seen, self._read()
        if before is not None and self._seen is not None:
            self.freed_bytes += max(0, before.used - self._seen.used)

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


def give_memory_back(level: Level = "all") -> None:
    """To the system, as far as Python and its C library can. Garbage is collected only where no
    work is taken anyway: it stops every thread of the process for a third of a second.
    """
    if level == "all":
        gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # not every C library has it; the freed memory is used again all the same


_WORSE: Final = {("ok", "half"), ("ok", "all"), ("half", "all")}


def _list(names: Iterable[str]) -> str:
    return f"one of {', '.join(names)}"
