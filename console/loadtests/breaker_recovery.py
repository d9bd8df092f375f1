"""A node that fails: its breaker opens after five calls, tries again, and closes."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from console.loadtests.criteria import Criterion, Outcome, at_most, exactly
from console.loadtests.node import Node, serving
from validation.resilience import BreakerConfig, Breakers, Change, State
from validation.rpc import BreakerOpen, Call, NodeUrl, RpcClient, RpcConfig, RpcError, breaker_name

FAILURES = 5
ASKED = 10
RESET_S = 5.0
# Whoever is refused has waited so long for the breaker first.
_WAIT_S = 0.2
# A call that is under way is given the time that a worker's has: cut short where a machine is busy,
# it would fail a node that is well again.
_CALL_S = 5.0
# Beside calls, one look a second finds out whether the node is back.
_LOOKS = 2
_PROBES = 2
# After the reset time, for timers and a busy machine.
_LATE_S = 1.0
_GIVE_UP_S = 15.0
_PAUSE_S = 0.05
_SOURCE = "000, load test 3"

_decode = msgspec.json.Decoder(str).decode


@dataclass(slots=True)
class _Seen:
    failed: int = 0
    refused: int = 0
    opened_at: float | None = None
    half_open_at: float | None = None
    closed_at: float | None = None
    changes: list[str] = field(default_factory=list)

    def note(self, change: Change) -> None:
        now = monotonic()
        self.changes.append(change.after.value)
        if change.after is State.OPEN and self.opened_at is None:
            self.opened_at = now
        elif change.after is State.HALF_OPEN and self.half_open_at is None:
            self.half_open_at = now
        elif change.after is State.CLOSED:
            self.closed_at = now


def run() -> Outcome:
    """Raises DevnodeError."""
    seen = _Seen()
    with serving() as node:
        before = asyncio.run(_fail_and_recover(node, seen))
    return Outcome(
        criteria=(
            exactly("failures after which it opened", seen.failed, FAILURES, source=_SOURCE),
            exactly("calls refused at once while open", seen.refused, ASKED - FAILURES,
                    source=_SOURCE),
            at_most("calls that reached the node while it failed", before, FAILURES + _LOOKS,
                    source="ours"),
            *_times(seen),
        ),
        figures={"states": " → ".join(("closed", *seen.changes))},
    )  # fmt: skip


def _times(seen: _Seen) -> tuple[Criterion, ...]:
    return (
        # Sooner where a look in the background finds the node well again.
        at_most("tried again after", _between(seen.opened_at, seen.half_open_at),
                RESET_S + _LATE_S, unit="s", source=_SOURCE),
        at_most("closed after its first trial, once the node answers",
                _between(seen.half_open_at, seen.closed_at), _LATE_S, unit="s", source=_SOURCE),
    )  # fmt: skip


async def _fail_and_recover(node: Node, seen: _Seen) -> int:
    """Calls that had reached the node when it was well again."""
    url = NodeUrl.parse(node.url)
    breakers = Breakers(
        {"": BreakerConfig(
            consecutive_failures=FAILURES, min_calls=10_000, open_s=RESET_S, jitter=0.0,
            half_open_calls=_PROBES,
        )},
        listen=seen.note,
    )  # fmt: skip
    config = RpcConfig(nodes=(url,), allow_loopback=True, call_timeout_s=_CALL_S, max_attempts=1)
    client = RpcClient(config, breakers=breakers)
    try:
        node.set(error_rate=1.0)
        for _ in range(ASKED):
            await _ask(client, seen, timeout_s=_WAIT_S)
        reached = node.counters.calls
        node.set(error_rate=0.0)
        breaker = breakers.get(breaker_name(url, "lookup"))
        until = monotonic() + RESET_S + _GIVE_UP_S
        while monotonic() < until and not (seen.half_open_at and breaker.state is State.CLOSED):
            await asyncio.sleep(_PAUSE_S)
            await _ask(client, _Seen(), timeout_s=_CALL_S)
        return reached
    finally:
        await client.aclose()


async def _ask(client: RpcClient, seen: _Seen, *, timeout_s: float) -> None:
    try:
        await client.fetch([Call("eth_chainId", (), _decode)], timeout_s=timeout_s, fresh=True)
    except BreakerOpen:
        seen.refused += 1
    except RpcError:
        seen.failed += 1


def _between(first: float | None, then: float | None) -> float | None:
    return None if first is None or then is None else round(then - first, 3)
