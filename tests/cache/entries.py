"""Entries and a clock for the tests of L1."""

from validation.cache.l1 import Entry


class Clock:
    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def entry(
    value: object = "value",
    *,
    size: int = 100,
    expires_at: float = float("inf"),
    tags: tuple[str, ...] = (),
) -> Entry:
    return Entry(value=value, size=size, created=0.0, expires_at=expires_at, tags=tags)


def key(number: int) -> bytes:
    return b"%032d" % number
