"""How much L1 may hold: as an operator says, else as a flag says, else as configured.

Each of them may come and go in any order; what holds is what the first of them that has a word says
of entries, and of bytes.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from validation.cache.l1 import L1, L1Config
from validation.cache.sizing import Memory, SizingConfig, adapted


class Sizing(Protocol):
    """What becomes of L1's bytes where no operator named any."""

    @property
    def name(self) -> str: ...

    def fitted(self, configured: int, l1: L1, memory: Memory, processes: int) -> int: ...


class Fixed:
    """The baseline: as configured, whatever the machine has left."""

    name: Final = "fixed"

    def fitted(self, configured: int, l1: L1, memory: Memory, processes: int) -> int:
        del l1, memory, processes
        return configured


class Adaptive:
    """A share of what is left, never more than configured."""

    name: Final = "adaptive"

    def fitted(self, configured: int, l1: L1, memory: Memory, processes: int) -> int:
        config = SizingConfig(processes=processes, ceiling=configured)
        return adapted(config, memory, max_bytes=l1.max_bytes, used=l1.bytes)


SIZINGS: Final[dict[str, Sizing]] = {sizing.name: sizing for sizing in (Fixed(), Adaptive())}


class Bounds:
    """Of one L1, on its loop's thread."""

    def __init__(
        self,
        l1: L1,
        config: L1Config,
        *,
        sizing: str = "adaptive",
    ) -> None:
        self._l1 = l1
        self._config = config
        self._operators: Mapping[str, float] = {}
        self._flagged = 0
        self._sizing = SIZINGS[sizing]
        self._seen: tuple[Memory, int] | None = None

    @property
    def sizing(self) -> str:
        return self._sizing.name

    def obey(self, settings: Mapping[str, float]) -> None:
        """An operator's word, by name; what it does not name is left to the others."""
        had_bytes = "max_bytes" in self._operators
        self._operators = dict(settings)
        if "max_bytes" in settings:
            self._l1.resize(max_bytes=int(settings["max_bytes"]))
        elif had_bytes:
            self._start_over()
        self._set_entries()

    def flag(self, max_entries: int) -> None:
        """A flag's word; 0: it has none."""
        if max_entries < 0:
            raise ValueError(f"max_entries: must not be negative, is {max_entries}")
        self._flagged = max_entries
        self._set_entries()

    def size_by(self, name: str) -> None:
        """ValueError where no sizing has that name."""
        if name not in SIZINGS:
            raise ValueError(f"sizing: there is none named {name!r}; one of {', '.join(SIZINGS)}")
        if name != self._sizing.name:
            self._sizing = SIZINGS[name]
            self._start_over()

    def fit(self, memory: Memory, *, processes: int) -> None:
        """Has the bytes follow the memory that is left, shared by so many."""
        self._seen = memory, processes
        if "max_bytes" in self._operators:
            return
        size = self._sizing.fitted(self._config.max_bytes, self._l1, memory, processes)
        if size != self._l1.max_bytes:
            self._l1.resize(max_bytes=size)

    def _set_entries(self) -> None:
        entries = self._operators.get("max_entries") or self._flagged or self._config.max_entries
        if entries != self._l1.max_entries:
            self._l1.resize(max_entries=int(entries))

    def _start_over(self) -> None:
        """The bytes are nobody's any more: as configured, and as the sizing makes of that."""
        if "max_bytes" not in self._operators:
            self._l1.resize(max_bytes=self._config.max_bytes)
            if self._seen is not None:
                memory, processes = self._seen
                self.fit(memory, processes=processes)
