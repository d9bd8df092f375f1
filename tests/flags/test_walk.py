"""Every flag of the workers, switched to each of its variants and back while runs go on."""

import statistics
import time

import pytest
import structlog

from console.embedded.cluster import Cluster
from console.flags import loading
from console.flags.catalogue import BY_KEY, CATALOGUE
from console.flags.models import Flag
from tests.flags.behaviours import BEHAVIOURS
from tests.flags.effects import WALKS, Walk
from tests.flags.walking import WORKERS, World, fleet_on
from tests.fleet import wait_until
from validation.models import Run

log = structlog.get_logger(__name__)

# The goal is a second, of nine changes in ten. Cores that tests share give a thread its turn later
# than that now and then.
_SOON_S = 1.0
_WITHIN_S = 5.0
_SHOWS_WITHIN_S = 20.0
# Workers tell their counts once a second.
_WINDOW_S = 4.0
_ITEMS = 100


def walked() -> list[str]:
    return [flag.key for flag in CATALOGUE if flag.wired and flag.fleet in {"worker", "all"}]


def test_the_table_names_what_each_variant_of_each_flag_does() -> None:
    assert set(WALKS) == set(walked())
    for key, walk in WALKS.items():
        assert set(walk.told) == set(BY_KEY[key].variants), key
        behaviour = BEHAVIOURS.get(key)
        shown = set(walk.effects) | set(() if behaviour is None else behaviour.finds)
        assert shown == set(walk.told), f"{key}: nothing shows that some variant is in force"


def put_in_force(world: World, key: str, variant: str) -> float:
    """Seconds until every worker says so."""
    world.switch(key, variant)
    told = [WALKS[key].told[variant]] * WORKERS
    what = f"{key}={variant} in force in every worker"
    return world.until(lambda: world.in_force(key) == told, within_s=_WITHIN_S, what=what)


def show(world: World, key: str, variant: str) -> None:
    """Waits for the effect: of the items of one moment, or of the next."""
    walk = WALKS[key]
    effect = walk.effects.get(variant)
    if effect is None:
        return
    first, began = [world.seen()], [time.monotonic()]

    def shows() -> bool:
        last = world.seen()
        parts = [(first[0], last)] if walk.counted_together else list(first[0].apart(last))
        if parts and all(effect(then, now) for then, now in parts):
            return True
        if time.monotonic() > began[0] + _WINDOW_S:
            # What was begun before the switch is over by now.
            first[0], began[0] = last, time.monotonic()
        return False

    def has_begun() -> bool:
        return world.seen().sums["items"] >= first[0].sums["items"] + _ITEMS

    world.until(has_begun, within_s=_SHOWS_WITHIN_S, what=f"items under {key}={variant}")
    try:
        world.until(shows, within_s=_SHOWS_WITHIN_S, what=f"the effect of {key}={variant}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {first[0].grown(world.seen())}") from None


def walk_through(world: World, key: str, walk: Walk) -> list[float]:
    """To every other variant and back; how long each change took."""
    ships = BY_KEY[key].ships
    others = [variant for variant in walk.told if variant != ships]
    put_in_force(world, "cache.kinds", "none" if walk.uncached else "all")
    put_in_force(world, "rpc.fetch_mode", walk.mode)
    if walk.fails:
        world.node(error_rate=walk.fails)
    before = len(world.runs)
    took = []
    for variant in (*others, ships):
        took.append(put_in_force(world, key, variant))
        if walk.purged:
            world.purge()
        show(world, key, variant)
    if walk.fails:
        world.node(error_rate=0)
        world.faulty += world.runs[max(0, before - 10) :]
    return took


def roll_back_a_stage_of_processes(world: World) -> None:
    key = "cache.codec"
    world.switch(key, "gzip", stage=25)
    one = ["base64", "gzip"]
    world.until(lambda: sorted(world.in_force(key)) == one, within_s=_WITHIN_S, what="one has it")
    world.roll_back(key)
    none = ["base64"] * WORKERS
    world.until(lambda: world.in_force(key) == none, within_s=_WITHIN_S, what="nobody has it")
    put_in_force(world, key, BY_KEY[key].ships)


def roll_back_a_stage_of_items(world: World) -> None:
    key = "rpc.fetch_mode"
    world.switch(key, "batch", stage=25, rest="coalesced")
    told = ["batch on 25 %, coalesced else"] * WORKERS
    world.until(lambda: world.in_force(key) == told, within_s=_WITHIN_S, what="items are split")
    before = world.decided(key)

    def grown(variant: str) -> int:
        return world.decided(key)[variant] - before[variant]

    enough = 5 * _ITEMS
    world.until(lambda: grown("batch") > enough, within_s=60, what="some items have it")
    assert 0.1 < grown("batch") / (grown("batch") + grown("coalesced")) < 0.4
    world.roll_back(key)
    none = ["sequential"] * WORKERS
    world.until(lambda: world.in_force(key) == none, within_s=_WITHIN_S, what="no item has it")
    put_in_force(world, key, BY_KEY[key].ships)


def walk_the_table(world: World) -> tuple[list[float], list[str]]:
    """How long each change took, and what went wrong."""
    began, delays, failures = time.monotonic(), list[float](), list[str]()
    for key in sorted(WALKS, key=lambda key: (WALKS[key].uncached, WALKS[key].mode, key)):
        try:
            delays += walk_through(world, key, WALKS[key])
        except AssertionError as error:
            failures.append(f"{key}: {error}")
            world.switch(key, BY_KEY[key].ships)
    log.info(
        "flags.walked",
        changes=len(delays),
        in_s=round(time.monotonic() - began),
        median_s=round(statistics.median(delays), 3),
        p90_s=round(_p90(delays), 3),
        worst_s=round(max(delays), 3),
    )
    return delays, failures


def _p90(delays: list[float]) -> float:
    return statistics.quantiles(delays, n=10)[-1]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_each_flag_changes_the_fleet_at_work_loses_nothing_and_goes_back(
    services: Cluster, transactional_db: None
) -> None:
    loading.load()
    assert Flag.objects.filter(key__in=walked()).count() == len(WALKS)
    with fleet_on(services, NODE_RATE_LIMIT="1000000") as fleet:
        world = World(fleet=fleet)
        world.node(jitter_ms=20)
        with world.at_work():
            world.until(lambda: len(world.workers()) == WORKERS, within_s=30, what="both workers")
            world.until(lambda: world.seen().sums["items"] > 0, within_s=30, what="the first items")
            delays, failures = walk_the_table(world)
            roll_back_a_stage_of_processes(world)
            roll_back_a_stage_of_items(world)
            put_in_force(world, "cache.kinds", BY_KEY["cache.kinds"].ships)
        open_runs = Run.objects.filter(pk__in=world.runs).exclude(state="done")
        wait_until(lambda: not open_runs.exists(), within_s=60, what="all runs are done")
        assert world.lost() == []
        assert not failures, "\n".join(failures)
        assert _p90(delays) <= _SOON_S, sorted(delays)
