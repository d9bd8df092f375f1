"""Evaluations a minute by flag and variant: two readings of what all processes counted.

The readings are kept on the cache server, one in ten seconds, whoever takes them.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import redis

from monitoring import processes, valkey

# As `monitoring.instruments` names it.
COUNTER: Final = "switchyard_flag_evaluations_total"
EVERY_S: Final = 10
_KEPT: Final = 7
_STALE_S: Final = 45.0
# An older reading says nothing of late.
_WINDOW_S: Final = 90.0
_READINGS: Final = "switchyard:flags:readings"
_TAKEN: Final = "switchyard:flags:read"

# By process, then by flag, then by variant.
type Counts = dict[str, dict[str, dict[str, float]]]


class Reading(msgspec.Struct, kw_only=True, frozen=True):
    """`at`: by the cache server's clock."""

    at: float
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """A minute, over the last `over_s` seconds up to `age_s` ago."""

    by_flag: Mapping[str, Mapping[str, float]]
    over_s: float
    age_s: float

    def of(self, key: str) -> dict[str, float]:
        return dict(self.by_flag.get(key, {}))


def take() -> bool:
    """Keeps a reading, unless one was taken just now. Raises redis.RedisError."""
    client = valkey.client()
    if not client.set(_TAKEN, "1", nx=True, ex=EVERY_S - 1):
        return False
    body = msgspec.json.encode(Reading(at=_now(client), counts=_counts()))
    pipe = client.pipeline(transaction=True)
    pipe.lpush(_READINGS, body).ltrim(_READINGS, 0, _KEPT - 1).expire(_READINGS, 600).execute()
    return True


def rates() -> Rates | None:
    """None: no two readings of late, or nobody can be asked."""
    try:
        client = valkey.client()
        bodies = client.lrange(_READINGS, 0, _KEPT - 1)
        now = _now(client)
        kept = [msgspec.json.decode(body, type=Reading) for body in bodies]
    except (redis.RedisError, msgspec.DecodeError):
        return None
    if not kept or now - (newest := kept[0]).at > _STALE_S:
        return None
    oldest = next(one for one in reversed(kept) if newest.at - one.at <= _WINDOW_S)
    if (over_s := newest.at - oldest.at) <= 0:
        return None
    return Rates(by_flag=_between(oldest, newest, over_s), over_s=over_s, age_s=now - newest.at)


def _between(old: Reading, new: Reading, over_s: float) -> dict[str, dict[str, float]]:
    """One that began since began at nothing; what one counted that ended since is not known."""
    found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for process, flags in new.counts.items():
        before = old.counts.get(process, {})
        for key, variants in flags.items():
            for variant, count in variants.items():
                since = count - before.get(key, {}).get(variant, 0.0)
                found[key][variant] += max(0.0, since) * 60 / over_s
    return {key: dict(variants) for key, variants in found.items()}


def _counts() -> Counts:
    found: Counts = {}
    for snapshot in processes.told():
        flags = found.setdefault(snapshot.incarnation, {})
        for sample in snapshot.counters:
            if sample.name == COUNTER:
                by = flags.setdefault(sample.labels["flag"], {})
                by[sample.labels["variant"]] = sample.value
    return found


def _now(client: Any) -> float:
    seconds, micros = client.time()
    return float(seconds) + float(micros) / 1e6
