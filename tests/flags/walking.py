"""A real fleet at work, whose flags this process changes and whose figures it reads.

It works on the session's servers and the test's database, so that Django here sees what it sees.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from django.db import connection

from console.access.audit import Actor
from console.access.roles import Role
from console.controls import acts as controls
from console.embedded.cluster import Cluster
from console.flags import acts
from console.flags.models import Flag
from monitoring import snapshots, valkey
from monitoring.snapshots import WorkerSnapshot
from tests.fleet import Fleet
from validation import services
from validation.devnode.chain import Chain
from validation.models import Chunk, Result, Run
from validation.subjects import Kind, Subject

WORKERS = 2
_POLL_S = 0.05
_FEED_S = 0.1
_AT_ONCE = 6
"""Chunks that wait at least: there is always work."""
_ITEMS = 600
WALKER = Actor(name="walker", role=Role.ADMIN, origin="cli")
_REASONS = count(1)


def _reason() -> str:
    return f"walking the table, step {next(_REASONS):04}"


def fleet_on(cluster: Cluster, **environment: str) -> Fleet:
    """On the test's database; one demo node under two names, so that hedges have where to go."""
    database = {"DATABASE_URL": cluster.postgres.url_of(connection.settings_dict["NAME"])}
    return Fleet(
        cluster=cluster,
        workers=WORKERS,
        node_options=("--latency-ms", "2"),
        node_names=("127.0.0.1", "localhost"),
        worker_options=("-l", "info"),
        environment=database | environment,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The fleet at one moment: what its workers count, each and in all."""

    figures: Mapping[str, Counter[str]]
    """By worker."""
    sums: Counter[str]
    lines: int
    """Of requests, in the workers' log."""
    rates: int
    """Calls that the fleet counted in Valkey."""

    def apart(self, last: "Seen") -> Iterator[tuple["Seen", "Seen"]]:
        """Each worker by itself, now and then."""
        for worker, then in last.figures.items():
            now = self.figures.get(worker, Counter())
            yield replace(self, sums=now), replace(last, sums=then)

    def grown(self, last: "Seen") -> dict[str, int]:
        """What happened until then, for who wonders why nothing shows."""
        found = {name: last.sums[name] - self.sums[name] for name in last.sums}
        found |= {"lines": last.lines - self.lines, "rates": last.rates - self.rates}
        return {name: number for name, number in found.items() if number}


@dataclass(kw_only=True)
class World:
    fleet: Fleet
    chain: Chain = field(default_factory=Chain.load)
    runs: list[int] = field(default_factory=list)
    faulty: list[int] = field(default_factory=list)
    """Runs under way while the node failed on purpose."""
    failed: Exception | None = None
    """What kept the thread from starting work."""
    kinds: Iterator[Kind] = field(
        default_factory=lambda: cycle((Kind.TX, Kind.BLOCK, Kind.TX, Kind.ADDRESS))
    )

    # -- work

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Meanwhile there is always work, started by a thread: who waits for a change to show must
        not be late by starting some.
        """
        done = threading.Event()

        def feed() -> None:
            try:
                while not done.wait(_FEED_S):
                    self._keep_busy()
            except Exception as error:  # noqa: BLE001 - told where somebody waits for its work
                self.failed = error
            finally:
                connection.close()

        feeder = threading.Thread(target=feed, name="feeder")
        self._keep_busy()
        feeder.start()
        try:
            yield
        finally:
            done.set()
            feeder.join()

    def _keep_busy(self) -> None:
        if Chunk.objects.filter(state__in=("ready", "leased")).count() >= _AT_ONCE:
            return
        kind = next(self.kinds)
        values = {
            Kind.TX: [str(value) for value in self.chain.transactions[:300]],
            Kind.BLOCK: [str(number) for number in range(200)],
            Kind.ADDRESS: [str(value) for value in self.chain.addresses[:200]],
        }[kind]
        subjects = (Subject(kind=kind, value=value) for value in islice(cycle(values), _ITEMS))
        self.runs.append(services.start_run(subjects, level=2, origin="cli").pk)

    def until(self, done: Callable[[], bool], *, within_s: float, what: str) -> float:
        """Seconds until `done`."""
        began = time.monotonic()
        while not done():
            if self.failed is not None:
                raise self.failed
            if time.monotonic() - began > within_s:
                raise AssertionError(f"not within {within_s:.0f} s: {what}")
            time.sleep(_POLL_S)
        return time.monotonic() - began

    def lost(self) -> list[str]:
        """What is not as it should be, all runs being done."""
        found = []
        for run in Run.objects.filter(pk__in=self.runs):
            results = Result.objects.filter(run=run)
            bad = Counter(results.exclude(verdict="valid").values_list("verdict", "reason"))
            if results.count() != run.total:
                found.append(f"{run}: {results.count()} results for {run.total} items")
            elif bad and run.pk not in self.faulty:
                found.append(f"{run}: {dict(bad)}")
        return found

    # -- flags

    def switch(self, key: str, variant: str, *, stage: int = 100, rest: str | None = None) -> None:
        flag = Flag.objects.get(pk=key)
        if (flag.target, flag.stage) != (variant, stage):
            acts.set_stage(
                WALKER, key, stage=stage, target=variant, rest=rest, unrehearsed=True,
                reason=_reason(),
            )  # fmt: skip

    def roll_back(self, key: str) -> None:
        acts.roll_back(WALKER, key, reason=_reason())

    def purge(self) -> None:
        controls.purge(WALKER, "all", reason=_reason(), confirm="all")

    def in_force(self, key: str) -> list[str]:
        """What each worker says of the flag."""
        return [flag.in_force for each in self.workers() for flag in each.flags if flag.key == key]

    def decided(self, key: str) -> Counter[str]:
        """Units by variant, over the fleet."""
        found: Counter[str] = Counter()
        for each in self.workers():
            for flag in each.flags:
                if flag.key == key:
                    found.update(flag.evaluations)
        return found

    # -- what is seen

    def workers(self) -> tuple[WorkerSnapshot, ...]:
        return tuple(each for each in snapshots.workers() or () if each.state == "up")

    def seen(self) -> Seen:
        figures = {each.id: Counter(_figures(each)) for each in self.workers()}
        log = Path(self.fleet.log).read_bytes()
        client = valkey.client()
        rates = [client.get(key) for key in client.scan_iter("*switchyard:rate*", count=1000)]
        return Seen(
            figures=figures,
            sums=sum(figures.values(), Counter[str]()),
            lines=log.count(b"rpc.request"),
            rates=sum(int(rate) for rate in rates if rate),
        )

    def node(self, **settings: float) -> dict[str, Any]:
        """Sets how the demo node behaves; its counters."""
        url = self.fleet.environment["NODE_URLS"].split(",")[0].rstrip("/") + "/_control"
        body = json.dumps(settings).encode() if settings else None
        request = Request(url, body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def _figures(worker: WorkerSnapshot) -> dict[str, int]:
    cache = worker.cache
    found = {
        "items": worker.items_done,
        "dialled": sum(pool.dialled for pool in worker.pools),
        "requests": sum(pool.requests for pool in worker.pools),
        "calls": sum(pool.calls for pool in worker.pools),
        "failures": sum(sum(pool.failures.values()) for pool in worker.pools),
        "shared": worker.node.get("shared", 0),
        "retries": sum(worker.node.get("retries", {}).values()),
        "hedged": worker.node.get("hedged", 0),
    }
    if cache is not None:
        found |= {f"looked {kind}": sum(levels.values()) for kind, levels in cache.kinds.items()}
        found |= {f"codec {name}": number for name, number in cache.codecs.items()}
        found |= {"warmed": cache.warmed, "coalesced": cache.coalesced, "evicted": cache.evicted}
    return found
