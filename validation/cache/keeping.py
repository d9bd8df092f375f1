"""What is kept of an answer: in L2 as a payload, in L1 as an entry."""

from typing import Any

from validation.cache.entry import Entry
from validation.cache.envelope import Payload
from validation.cache.flights import Asked
from validation.cache.hits import Made


def payload_of(made: Made, asked: Asked) -> Payload | None:
    """None: not to be kept."""
    life = made.lifetime
    if life is None:
        return None
    return Payload(
        raws=made.raws,
        node=made.node,
        created_ms=asked.created_ms,
        stale_ms=asked.created_ms + int(life.stale_s * 1000),
        expires_ms=asked.created_ms + int(life.expires_s * 1000),
        tags=life.tags,
        block_hash=life.block_hash,
        negative=life.negative,
        epoch=asked.epoch,
    )


def entry_of(
    values: Any, payload: Payload, asked_at: float, now: float, *, eager: float, ttl_s: float
) -> Entry:
    """`asked_at` and `now` by the clock of L1, whose times an entry bears."""
    fresh_s = (payload.stale_ms - payload.created_ms) / 1000
    eager = 1.0 if payload.negative else eager
    return Entry(
        value=values,
        size=sum(map(len, payload.raws)),
        created=payload.created_ms,
        expires_at=min(
            asked_at + (payload.expires_ms - payload.created_ms) / 1000,
            now + ttl_s,
        ),
        stale_at=asked_at + fresh_s,
        refresh_at=asked_at + fresh_s * eager,
        tags=payload.tags,
        negative=payload.negative,
        node=payload.node,
        asked_at=asked_at,
    )
