"""A real fleet tells its arms: a variant that a fault slows is seen to be slower, by as much."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.test import override_settings

from console.embedded.cluster import Cluster
from monitoring import arms, valkey
from monitoring.arms import Told, Work
from tests.fleet import Fleet, wait_until
from tests.services import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FLAG, TARGET, REST = "rpc.fetch_mode", "batch", "parallel"
MORE = 80
UNITS = 400
_WITHIN_S = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    target: Work
    rest: Work

    def ratio(self, of: Callable[[Work], float | None]) -> float:
        one, other = of(self.target), of(self.rest)
        assert one is not None
        assert other is not None
        return one / other


def mean_s(work: Work) -> float | None:
    return work.mean_s


def p95_s(work: Work) -> float | None:
    return work.p95_s


@pytest.fixture
def fleet(durable_cluster: Cluster) -> Iterator[Fleet]:
    """Whose words this process reads too."""
    options = ("--latency-ms", "3")
    with Fleet(cluster=durable_cluster, workers=1, node_options=options) as made:
        valkey.client.cache_clear()
        with override_settings(REDIS_URL=durable_cluster.cache.url):
            yield made
        valkey.client.cache_clear()


def told() -> tuple[Told, ...]:
    return arms.read() or ()


def sides() -> Sides:
    """Of what is done from now on, once there is enough of it."""
    before: tuple[Told, ...] = ()
    found: dict[str, Work] = {}

    def has_begun() -> bool:
        nonlocal before
        before = told()
        return any(FLAG in each.arms.flags and not each.is_silent for each in before)

    def is_enough() -> bool:
        nonlocal found
        found = arms.difference(told(), before, kind="worker").get(FLAG, {})
        return all(found.get(name, Work()).units >= UNITS for name in (TARGET, REST))

    wait_until(has_begun, within_s=_WITHIN_S, what="a worker tells its arms")
    wait_until(is_enough, within_s=_WITHIN_S, what=f"{UNITS} items of each variant")
    return Sides(target=found[TARGET], rest=found[REST])


@contextmanager
def slowed(fleet: Fleet) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "fault", "slow-variant", f"{FLAG}={TARGET}",
         "--more", str(MORE), "--seconds", "120"],
        cwd=ROOT, env=fleet.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while line := process.stdout.readline():
            if "It ends in" in line:
                break
        wait_until(lambda: said(fleet) == 1, within_s=10, what="the worker heeds it")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[0]
    assert rest.splitlines()[-1] == "Interrupted; healed."
    wait_until(lambda: said(fleet) == 2, within_s=10, what="the worker hears of its end")


def said(fleet: Fleet) -> int:
    return fleet.log.read_text(errors="replace").count("fault.slow_variant")


def test_a_slowed_variant_is_seen_slower_by_as_much_and_what_is_done_unheard_is_told_later(
    fleet: Fleet,
) -> None:
    fleet.manage(
        "flag", "cache.kinds", "none", "--unrehearsed", "--reason", "each item asks its node"
    )
    half = ("--stage", "50", "--rest", REST, "--unrehearsed", "--reason", "half and half")
    fleet.manage("flag", FLAG, TARGET, *half)
    run = fleet.start_run(60_000, level=1)
    before = sides()
    with slowed(fleet):
        sides()  # of what began before it was heeded, too
        during = sides()
    assert during.ratio(mean_s) / before.ratio(mean_s) == pytest.approx(1 + MORE / 100, rel=0.2)
    assert during.ratio(p95_s) / before.ratio(p95_s) == pytest.approx(1 + MORE / 100, rel=0.3)
    assert not fleet.finished(run)

    # Nobody waits for the cache server, and what was done without it is told when it is back.
    done = fleet.done(run)
    fleet.cluster.cache.stop()
    wait_until(lambda: fleet.done(run) > done, within_s=_WITHIN_S, what="work goes on without it")
    done = fleet.done(run)
    fleet.cluster.cache.start()
    wait_until(lambda: _units() >= done, within_s=_WITHIN_S, what="what was done is told")


def _units() -> int:
    """Of the one worker, since its start; it knows of one run alone."""
    return sum(work.units for each in told() for work in each.arms.flags.get(FLAG, {}).values())
