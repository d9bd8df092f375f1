"""Words of processes, made up."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from monitoring.arms import BOUNDS_S, Arms, Told, Work

FLAG = "rpc.fetch_mode"


def work(took_s: Sequence[float], *, failed: int = 0) -> Work:
    counts = [0] * (len(BOUNDS_S) + 1)
    for seconds in took_s:
        counts[bisect_left(BOUNDS_S, seconds)] += 1
    return Work(units=len(took_s), failed=failed, seconds=sum(took_s), buckets=tuple(counts))


def arms(
    process: str = "host:1",
    *,
    kind: str = "worker",
    started_at: float = 1_000.0,
    up_s: float = 500.0,
    revision: int = 7,
    flags: Mapping[str, Mapping[str, Work]] | None = None,
) -> Arms:
    return Arms(
        process=process, kind=kind, started_at=started_at, up_s=up_s, revision=revision,
        flags={FLAG: {"coalesced": work([0.01] * 10)}} if flags is None else flags,
    )  # fmt: skip


def told(of: Arms, *, read_at: float = 0.0, age_s: float = 0.5) -> Told:
    return Told(arms=of, age_s=age_s, read_at=read_at)
