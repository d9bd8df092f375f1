"""What web processes last said of the read replicas, which each of them watches for itself."""

from typing import Final

import msgspec

from monitoring.collectors import told

SOURCE: Final = "replicas"
# Each web process tells every five seconds: what is older, nobody watches any more.
WATCHED_S: Final = 60.0


class ReplicaStanding(msgspec.Struct, kw_only=True, frozen=True):
    """`in_use`: safe reads of the process that told may go there; if not, `why`. The lag is None
    where it is not known. `seen_s` ago it was asked.
    """

    label: str
    weight: int
    in_use: bool
    why: str
    reachable: bool
    lag_s: float | None
    lag_bytes: int | None
    # How long the answer to a question takes.
    round_trip_ms: float | None
    seen_s: float
    # Why it is no replica to read from though it answers: promoted, a copy of another Postgres.
    ill: str = ""


class ReplicasSample(msgspec.Struct, kw_only=True, frozen=True):
    """In the order in which they are configured."""

    replicas: tuple[ReplicaStanding, ...]


def standing() -> tuple[ReplicaStanding, ...]:
    """By the web process that told last; empty where none is configured, or nobody watches."""
    found = told.read(SOURCE, ReplicasSample)
    age_s = found.age_s
    if found.sample is None or age_s is None or age_s > WATCHED_S:
        return ()
    return tuple(
        msgspec.structs.replace(one, seen_s=one.seen_s + age_s) for one in found.sample.replicas
    )
