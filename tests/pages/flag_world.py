"""A fleet that has read its flags, and evaluations a minute: what pages of flags are shown with."""

import time
from collections.abc import Mapping
from typing import Any

from console.flags import evaluations
from console.flags.evaluations import Rates
from console.flags.models import Flag
from console.flags.standing import Standing
from monitoring import snapshots
from monitoring.snapshots import FlagReport, WorkerSnapshot
from validation.models import Slot
from validation.slots import rank

# What the code goes by where a flag is off.
OWN = {"cache.codec": "zstd-fast", "cache.l1_ttl": 0}
EVICTION, FETCH = "cache.l1_eviction", "rpc.fetch_mode"
WHY = "the new policy keeps more hot keys"


def post_stage(**given: Any) -> dict[str, Any]:
    """A form that rolls tinylfu out to a quarter, in the place of what ships."""
    wanted = {"stage": 25, "target": "tinylfu", "rest": "s3fifo", "unit": "process"}
    return wanted | {"reason": WHY, "revision": "0"} | given


def fleet(size: int, *, acknowledged: int = 10**9, reason: str = "") -> None:
    """Workers of slots 0, 1, … that decided each flag as it stands, and obey it."""
    Slot.objects.all().delete()
    for number in range(size):
        Slot.objects.create(fleet="worker", number=number, holder=f"rack-{number}:1")
    flags = [flag for flag in Flag.objects.all() if flag.fleet in {"worker", "all"}]
    for number in range(size):
        reports = tuple(_report(flag, number, size, reason) for flag in flags)
        snapshots.publish(_worker(number, reports, acknowledged))


def asked(monkeypatch: Any, rates: Mapping[str, Mapping[str, float]]) -> None:
    """Evaluations a minute, by flag and variant."""
    found = Rates(by_flag=rates, over_s=60.0, age_s=2.0)
    monkeypatch.setattr(evaluations, "rates", lambda: found)


def _report(flag: Flag, number: int, size: int, reason: str) -> FlagReport:
    if not flag.enabled:
        return _off(flag, number)
    standing = Standing.of(flag)
    variant = standing.everyone
    if variant is None and flag.unit == "item":
        variant = ""
    elif variant is None:
        within = rank(flag.key, number, range(size)) * 100 < flag.stage * size
        variant = flag.target if within else flag.rest
    return FlagReport(
        key=flag.key,
        variant=variant,
        value=variant,
        reason=reason or ("STATIC" if standing.everyone else "TARGETING_MATCH"),
        evaluations={variant or flag.target: 40 + number},
        in_force=variant,
    )


def _off(flag: Flag, number: int) -> FlagReport:
    """Goes by the default in the code, whatever the flag's stage."""
    own = str(OWN.get(flag.key, flag.baseline))
    return FlagReport(
        key=flag.key,
        variant="default",
        value=own,
        reason="DISABLED",
        evaluations={"default": 40 + number},
        in_force=own,
    )


def _worker(number: int, flags: tuple[FlagReport, ...], acknowledged: int) -> WorkerSnapshot:
    return WorkerSnapshot(
        id=f"rack-{number}:1",
        host=f"rack-{number}",
        pid=4_700 + number,
        started_at=time.time() - 90,
        busy=False,
        run=None,
        items_done=100,
        chunks_done=4,
        rate=10.0,
        rss_bytes=84_300_000,
        acknowledged=acknowledged,
        flags=flags,
        flags_revision=acknowledged,
        slot=number,
    )
