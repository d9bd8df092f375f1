"""What each process has done under each variant of each flag, with its age: what tells those that
have a change from those that have not, at the same time.

What is told is cumulative since the process's start, so a word that is lost is made up for by the
next: see `difference`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import redis
import structlog

from monitoring import valkey
from monitoring.arm_work import BOUNDS_S, NO_UNITS, Arms, Work

__all__ = [
    "BOUNDS_S",
    "SILENT_S",
    "Arms",
    "Told",
    "Work",
    "difference",
    "publish",
    "read",
    "retire",
]

log = structlog.get_logger(__name__)

_INDEX = "switchyard:arms"
_LIFE_S = 60
SILENT_S: Final = 5.0
"""What has said nothing for so long tells nothing of now."""


class Told(msgspec.Struct, kw_only=True, frozen=True):
    """The word of one process: how old it is, and when it was read, by the server's clock."""

    arms: Arms
    age_s: float
    read_at: float = 0.0

    @property
    def is_silent(self) -> bool:
        return self.age_s > SILENT_S


def publish(arms: Arms) -> None:
    """Raises redis.RedisError when the cache server is gone."""
    body = msgspec.json.encode(arms)
    valkey.announce(_INDEX, arms.process, _key(arms.process), body, life_s=_LIFE_S)


def retire(process: str) -> None:
    """Takes a process that stopped in good order off the list."""
    try:
        pipe = valkey.client().pipeline(transaction=False)
        pipe.delete(_key(process)).srem(_INDEX, process)
        pipe.execute()
    except redis.RedisError:
        return  # it counts as silent, and is forgotten within a minute


def read() -> tuple[Told, ...] | None:
    """Every process heard of in the last minute, by name; None: nobody to ask."""
    try:
        client = valkey.client()
        names = sorted(client.smembers(_INDEX))
        pipe = client.pipeline(transaction=False)
        pipe.time()
        for name in names:
            pipe.get(_key(name)).pttl(_key(name))
        (seconds, micros), *answers = pipe.execute(raise_on_error=False)
        found = []
        for name, body, ttl_ms in zip(names, answers[::2], answers[1::2], strict=True):
            if not isinstance(body, str):  # none, or something else in its place
                client.srem(_INDEX, name)
            elif (arms := _decoded(name, body)) is not None:
                age_s = max(0.0, _LIFE_S - ttl_ms / 1000)
                found.append(Told(arms=arms, age_s=age_s, read_at=seconds + micros / 1e6))
    except redis.RedisError:
        return None
    return tuple(found)


def difference(
    now: Iterable[Told], before: Iterable[Told], *, kind: str | None = None
) -> dict[str, dict[str, Work]]:
    """What was done between two looks, by flag and variant, by all processes (of one `kind`).

    A process that restarted counts from zero, so nothing is ever negative. One that was silent at
    either look gives nothing; nor does one that the first look missed though it was at work then.
    """
    known = {told.arms.process: told for told in before}
    found: dict[str, dict[str, Work]] = {}
    for told in now:
        if told.is_silent or kind not in (None, told.arms.kind):
            continue
        for key, variant, work in _since(told, known.get(told.arms.process), known.values()):
            of = found.setdefault(key, {})
            of[variant] = of[variant] + work if variant in of else work
    return found


type _Each = Iterable[tuple[str, str, Work]]


def _since(told: Told, before: Told | None, looked: Iterable[Told]) -> _Each:
    arms = told.arms
    if before is None:
        first = max((other.read_at for other in looked), default=told.read_at)
        return _each(arms) if arms.up_s + told.age_s <= told.read_at - first else ()
    if before.arms.started_at != arms.started_at:
        return _each(arms)
    # An older word than the one it is held against: of two who look, one was held up.
    if before.is_silent or arms.up_s < before.arms.up_s:
        return ()
    earlier, found = before.arms.flags, []
    for key, variant, work in _each(arms):
        done = work.since(earlier.get(key, {}).get(variant, Work()))
        if done is None:
            return _each(arms)
        found.append((key, variant, done))
    return found


def _each(arms: Arms) -> _Each:
    return [
        (key, variant, work)
        for key, variants in arms.flags.items()
        for variant, work in variants.items()
    ]


def _decoded(name: str, body: str) -> Arms | None:
    """None for what cannot be read, or counts by other bounds: another release's."""
    try:
        arms = msgspec.json.decode(body, type=Arms)
    except msgspec.DecodeError as exc:
        log.warning("arms.unreadable", process=name, error=str(exc))
        return None
    if arms.process != name or any(
        len(work.buckets) != len(NO_UNITS) for _, _, work in _each(arms)
    ):
        return None
    return arms


def _key(process: str) -> str:
    return f"switchyard:arms:{process}"
