"""A process that fills L1, and then leaks, up to a limit that it is told; its last line on stdout
says what its guard saw and did at each look: [level, entries before, entries after, bytes held].
"""

import sys

import msgspec

from validation.cache.l1 import L1, Entry, L1Config
from validation.footprint import Footprint, resident_bytes
from validation.memory import MemoryGuard

_ROOM = 80 << 20
_BODY = 20_000


class Filling:
    def __init__(self) -> None:
        self.limit = self.held() + _ROOM
        self.l1 = L1(L1Config(max_entries=1 << 20, max_bytes=1 << 40))
        self.now = 0.0
        self.guard = MemoryGuard(
            lambda: Footprint(used=self.held(), limit=self.limit),
            drop_half=lambda: self.l1.shrink(0.5),
            drop_all=lambda: self.l1.shrink(0.0),
            clock=lambda: self.now,
        )
        self.seen: list[tuple[str, int, int, int]] = []

    def held(self) -> int:
        held = resident_bytes()
        assert held is not None
        return held

    def look(self) -> None:
        self.now += 1.0
        had, level = len(self.l1), self.guard.tend()
        self.seen.append((level, had, len(self.l1), self.held()))

    def run(self) -> None:
        for number in range(5_000):
            entry = Entry(value=bytes(_BODY), size=_BODY, created=0, expires_at=9e9)
            self.l1.put(b"%d" % number, entry)
            if number % 100 == 0:
                self.look()
        leak: list[bytes] = []
        while not self.guard.refuses and len(leak) < 10_000:
            leak += [bytes(_BODY) for _ in range(100)]
            self.look()
        leak.clear()
        for _ in range(3):
            self.look()


if __name__ == "__main__":
    filling = Filling()
    filling.run()
    sys.stdout.buffer.write(msgspec.json.encode(filling.seen) + b"\n")
