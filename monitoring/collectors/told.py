"""The newest sample of each source, on the cache server: every process shows it, none asks again.

A failure stands beside the last sample, and takes nothing away from it but its freshness.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import redis

from monitoring import valkey
from monitoring.collectors.outcome import Outcome

# So long a sample is shown as the last that is known; then nothing is.
SAMPLE_S: Final = 3_600
_FAILURE_S: Final = 120


class _Failure(msgspec.Struct, kw_only=True, frozen=True):
    text: str
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told[T]:
    """What is known of a source: its last sample and how old that is; a failure since, if any.

    `reachable` False: the cache server could not be asked, so nothing is known here.
    """

    reachable: bool = True
    sample: T | None = None
    age_s: float | None = None
    failure: str = ""
    failure_age_s: float | None = None


def publish(outcome: Outcome[msgspec.Struct]) -> None:
    """Never raises redis.RedisError: whoever reads sees the age of what there is."""
    sample, failure = _keys(outcome.source)
    try:
        pipe = valkey.client().pipeline(transaction=True)
        if outcome.sample is not None:
            pipe.set(sample, msgspec.json.encode(outcome.sample), ex=SAMPLE_S)
            pipe.delete(failure)
        else:
            said = _Failure(text=outcome.failure, took_s=outcome.took_s)
            pipe.set(failure, msgspec.json.encode(said), ex=_FAILURE_S)
        pipe.execute()
    except redis.RedisError:
        return


def read[T](source: str, kind: type[T]) -> Told[T]:
    """What no release that we know would have written counts as nothing."""
    sample, failure = _keys(source)
    try:
        pipe = valkey.client().pipeline(transaction=False)
        pipe.get(sample).pttl(sample).get(failure).pttl(failure)
        body, life_ms, said, failed_ms = pipe.execute()
    except redis.RedisError:
        return Told(reachable=False)
    known = _decoded(body, kind)
    failed = _decoded(said, _Failure)
    return Told(
        sample=known,
        age_s=_age(SAMPLE_S, life_ms) if known is not None else None,
        failure=failed.text if failed else "",
        failure_age_s=_age(_FAILURE_S, failed_ms) if failed else None,
    )


def _decoded[T](body: str | None, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=kind) if body else None
    except msgspec.DecodeError:
        return None


def _age(life_s: int, left_ms: int) -> float:
    return max(0.0, life_s - left_ms / 1000)


def _keys(source: str) -> tuple[str, str]:
    return f"switchyard:collected:{source}", f"switchyard:collected:{source}:failure"
