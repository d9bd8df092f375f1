"""The real workloads, tiny: on a real demo node and private engines; and nodes that fail or lie."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import redis

from console.experiments import database, measuring, running, starting
from console.experiments.claims import Claim, claims
from console.experiments.models import State
from console.experiments.schedule import Arm, Side
from console.experiments.workloads import WORKLOADS
from tests.experiments.made_up import ACTOR, claim
from tests.fleet import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

_FEW = {"items": 4, "chunk": 2, "washout": 2}


def test_a_third_of_the_requests_is_proved_of_batches() -> None:
    """What is counted is the same on a machine that has other work: no time decides here."""
    wanted = claim("fetch-batch", workload=_FEW, node={"latency_ms": 2})
    done = measuring.run(running.make(wanted, ACTOR, seed=1))
    assert (done.state, done.verdict) == (State.DONE, "proved"), done.why
    assert done.found["effect"]["estimate"] == pytest.approx(-2 / 3, abs=0.1)
    variants = set(done.blocks.values_list("variant", flat=True))
    assert variants == {"parallel", "batch"}


def test_items_of_one_stream_are_split_by_the_flags_own_hash() -> None:
    wanted = claim(workload={"items": 16, "chunk": 16}, node={"latency_ms": 20}, unit="item")
    done = measuring.run(running.make(wanted, ACTOR, seed=2))
    assert done.state == State.DONE, done.why
    assert done.found["means"]["treatment"] < done.found["means"]["baseline"]
    for pair in range(16):
        items = [block.figures["items"] for block in done.blocks.filter(pair=pair)]
        assert sum(items) == 16
        assert all(items)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("l1-lru", {"workload": {"lookups": 500, "warm": 500, "keys": 400, "entries": 20}}),
        ("breaker-window", {"workload": {"calls": 200}}),
        ("answers-compressed", {"workload": {"answers": 5}}),
        ("export-memory", {"workload": {"pages": 5, "rows": 20}}),
        ("sharing", {"workload": {"items": 20, "distinct": 5, "chunk": 20}, "node": {}}),
        ("codec-brotli", {"workload": {"subjects": "block", "items": 2, "chunk": 2, "l2": True,
                                       "cold": True, "washout": 0}}),
        # Of so many calls, 3 % of which fail, some do.
        ("retry-backoff", {"workload": {"items": 200, "chunk": 100, "may_fail": True}}),
    ],
)  # fmt: skip
def test_a_pair_of_each_workload_has_the_figures_it_is_judged_by(
    key: str, changes: dict[str, object]
) -> None:
    wanted = claim(key, **changes)
    figures = pair_of(wanted)
    for metric in (wanted.metric, *(guard.metric for guard in claims()[key].guards)):
        assert all(each[metric] >= 0 for each in figures), metric
        assert any(each[metric] > 0 for each in figures), metric


def pair_of(wanted: Claim) -> list[Mapping[str, float]]:
    """A block of the baseline, and one of the treatment, on what an experiment runs them on."""
    sides: list[tuple[Side, str]] = [("a", wanted.baseline), ("b", wanted.treatment)]
    with WORKLOADS[wanted.kind](wanted, 3) as bench:
        return [bench.block(0, (Arm(side=one, variant=other),))[0] for one, other in sides]


def test_a_warmed_start_hits_l1(monkeypatch: pytest.MonkeyPatch) -> None:
    # What L1 is filled with comes behind an engine's start: on a busy machine later.
    monkeypatch.setattr(starting, "_FILL_S", 3.0)
    work = {"subjects": "block", "items": 20, "distinct": 20, "skew": 1.0, "l2": True}
    cold, warm = pair_of(claim("warming", workload=work))
    assert (cold["warmed"], warm["warmed"] > 0) == (0, True)
    assert warm["l1_share"] > cold["l1_share"] + 0.5


@pytest.mark.parametrize(
    ("node", "said"),
    [({"error_rate": 1.0}, "came back as error"), ({"lie": "tx-value"}, "came back as invalid")],
)
def test_items_that_do_not_pass_are_no_evidence(node: dict[str, float | str], said: str) -> None:
    work = {**_FEW, "subjects": "tx", "level": 2}
    wanted = claim(workload=work, node=node, settings={"rpc.retry": "none"})
    ended = measuring.run(running.make(wanted, ACTOR, seed=5))
    assert (ended.state, ended.verdict, ended.found) == (State.FAILED, "", {})
    assert said in ended.why


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock?db=9"),
        ("unix:///run/valkey.sock?db=1", "unix:///run/valkey.sock?db=9"),
        ("redis://cache:6379/1", "redis://cache:6379/?db=9"),
        ("rediss://:secret@cache/0", "rediss://:secret@cache/?db=9"),
    ],
)
def test_another_database_of_the_same_server_is_named(url: str, other: str) -> None:
    assert database.with_number(url, 9) == other


def test_a_database_in_use_is_left_alone_and_ones_own_is_empty_afterwards() -> None:
    with database.taken() as one, database.taken() as other:
        assert one != other
        client = redis.Redis.from_url(one)
        client.set("something", 1)
    assert client.dbsize() == 0
    client.set("somebody's", 1)
    try:
        with database.taken() as another:
            assert another != one
    finally:
        client.flushdb()
        client.close()


@contextmanager
def killed() -> Iterator[tuple[str, redis.Redis]]:
    """What one left that was killed, of which the mark has gone since: its URL, and a client."""
    with database.taken() as url:
        client = redis.Redis.from_url(url)
        client.mset({"switchyard:cache:tags": "1", "switchyard:cache:a:tx:[]": "2"})
        left = {bytes(key): client.get(key) or b"" for key in client.scan_iter()}
    del left[b"switchyard:experiment"]
    for key, value in left.items():
        client.set(key, value)
    try:
        yield url, client
    finally:
        client.flushdb()
        client.close()


def test_a_database_of_one_that_was_killed_is_taken_again_and_empty() -> None:
    with killed() as (left, client):
        with database.taken() as url:
            assert url == left
            assert not client.exists("switchyard:cache:tags")
        assert client.dbsize() == 0


def test_a_database_of_one_that_was_killed_is_anothers_once_they_use_it() -> None:
    with killed() as (left, client):
        client.set("celery", 1)
        with database.taken() as url:
            assert url != left
        assert client.exists("celery", "switchyard:cache:tags") == 2


def test_one_that_takes_long_keeps_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_RENEWED_S", 0.01)
    with database.taken() as url, redis.Redis.from_url(url) as client:
        client.expire("switchyard:experiment", 60)
        wait_until(
            lambda: int(client.ttl("switchyard:experiment")) > 60, within_s=30, what="it is renewed"
        )
