"""A node that is caught is written down and cordoned, unless nobody else is left to ask."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import msgspec
import psycopg
import pytest

from tests.runs.conftest import outcomes
from tests.runs.test_worker import InstantEngine
from validation import catches, retention
from validation.ledger import Claim, Ledger
from validation.models import Catch, Control, ControlRevision, Node, Result, Run
from validation.reporter import Reporter
from validation.validators import Caught, Outcome, Verdict
from validation.worker import Worker

type Start = Callable[..., Run]
type NewLedger = Callable[[str], Ledger]

LIARS = ("one:8545", "two:8545")


@pytest.fixture
def nodes(transactional_db: None) -> None:
    """Two in service: one of NODE_URLS, one that was added."""
    Node.objects.create(label="one:8545", position=0)
    Node.objects.create(label="two:8545", position=1, url="http://two:8545/")


def caught(claim: Claim, node: str, verdict: Verdict = Verdict.VALID) -> list[Outcome]:
    """Outcomes of which each catches `node`."""
    lie = Caught(node=node, check="hash", detail="computed 0x1, the node says 0x2")
    return [
        msgspec.structs.replace(found, caught=(lie,), verdict=verdict) for found in outcomes(claim)
    ]


def settle(ledger: Ledger, node: str, verdict: Verdict = Verdict.VALID) -> bool:
    ledger.configured = ("one:8545",)
    claim = ledger.claim()
    assert claim is not None
    return ledger.settle(claim, caught(claim, node, verdict))


def cordoned() -> list[str]:
    rows = Node.objects.exclude(cordoned_at=None).order_by("label")
    return [row.label for row in rows]


def test_who_is_caught_is_cordoned_and_all_that_it_said_is_forgotten(
    start: Start, ledger: Ledger, nodes: None
) -> None:
    run = start(3)
    assert settle(ledger, "one:8545")
    row = Node.objects.get(label="one:8545")
    assert cordoned() == ["one:8545"]
    assert row.cordoned_by == "worker worker"
    assert f"hash of block:0 in {run}: computed 0x1" in row.cordon_reason
    wanted = Control.objects.order_by("revision").values_list("kind", "name", "actor", "revision")
    assert list(wanted) == [
        ("purge", "node:one:8545", "worker worker", 1),
        ("nodes", "", "worker worker", 2),
    ]
    assert ControlRevision.objects.get().value == 2
    rows = Catch.objects.values_list("label", "run_id", "ordinal", "subject", "check_name")
    assert sorted(rows) == [("one:8545", run.pk, n, f"block:{n}", "hash") for n in range(3)]


def test_the_last_node_in_service_is_shown_as_caught_and_goes_on(
    start: Start, ledger: Ledger, nodes: None
) -> None:
    # A row of NODE_URLS of another time is no node that anybody could ask.
    Node.objects.create(label="three:8545")
    for label in LIARS:
        start(1)
        assert settle(ledger, label)
    assert cordoned() == ["one:8545"]
    assert Catch.objects.filter(label="two:8545").count() == 1
    assert Control.objects.filter(kind="nodes").count() == 1


def test_an_operator_takes_it_back_and_the_next_lie_cordons_it_again(
    start: Start, ledger: Ledger, nodes: None
) -> None:
    start(1)
    settle(ledger, "one:8545")
    Node.objects.update(cordoned_at=None, cordoned_by="", cordon_reason="")
    start(1)
    settle(ledger, "one:8545")
    assert cordoned() == ["one:8545"]
    assert Control.objects.get(kind="nodes").revision == ControlRevision.objects.get().value == 4


def test_a_node_that_nobody_contradicts_is_caught_but_stays(
    start: Start, ledger: Ledger, nodes: None
) -> None:
    """All say the same: if the fault is in what is computed here, none of them lied."""
    start(1)
    assert settle(ledger, "one:8545", Verdict.INVALID)
    assert (cordoned(), Catch.objects.count()) == ([], 1)
    assert not Control.objects.exists()


def test_a_cordon_is_counted_and_a_catch_that_changes_nothing_is_not(
    start: Start, ledger: Ledger, nodes: None
) -> None:
    """By it the fleet is called to heed: one that always lies would call at each chunk."""
    counted = []
    for verdict in (Verdict.INVALID, Verdict.VALID, Verdict.VALID):
        start(1)
        assert settle(ledger, "one:8545", verdict)
        counted.append(ledger.cordons)
    assert counted == [0, 1, 1]


class Catching(InstantEngine):
    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        lie = Caught(node="one:8545", check="hash", detail="computed 0x1, the node says 0x2")
        future.set_result([msgspec.structs.replace(each, caught=(lie,)) for each in found])


def test_the_fleet_is_called_to_heed_where_a_node_was_cordoned_and_not_for_each_catch(
    start: Start, ledger: Ledger, nodes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Reporter, "changed", lambda _self, topic: told.append(topic))
    worker = Worker(ledger, Catching())
    for _ in range(3):
        start(1)
        worker.drain()
    assert told.count("nodes") == 3
    assert told.count("controls") == 1


def test_a_run_of_its_own_nodes_accuses_none_of_those_that_are_called_alike(
    start: Start, ledger: Ledger, nodes: None
) -> None:
    start(1, node_urls=["http://one:8545/", "http://two:8545/"])
    assert settle(ledger, "one:8545")
    assert (cordoned(), Catch.objects.count()) == ([], 0)
    assert not Control.objects.exists()


def test_two_workers_that_catch_the_last_two_leave_one_in_service(
    start: Start, new_ledger: NewLedger, nodes: None
) -> None:
    claims = []
    ledgers = [new_ledger(name) for name in ("a", "b")]
    for ledger in ledgers:
        start(1)
        ledger.configured = ("one:8545",)
        claim = ledger.claim()
        assert claim is not None
        claims.append(claim)
    ready = threading.Barrier(2)
    done: list[bool] = []

    def work(ledger: Ledger, claim: Claim, liar: str) -> None:
        ready.wait(10)
        done.append(ledger.settle(claim, caught(claim, liar)))

    threads = [
        threading.Thread(target=work, args=args)
        for args in zip(ledgers, claims, LIARS, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert done == [True, True]
    assert len(cordoned()) == 1
    assert Catch.objects.count() == 2


def test_a_worker_that_waits_for_another_sees_what_it_cordoned(
    start: Start, new_ledger: NewLedger, nodes: None
) -> None:
    """The same race, step by step: the first holds its transaction while the second comes."""
    first, second = new_ledger("a"), new_ledger("b")
    start(1)
    claim = first.claim()
    assert claim is not None
    lies = {label: catches.of(caught(claim, label), first=0) for label in LIARS}
    found: list[list[str]] = []

    def cordon(ledger: Ledger, label: str) -> list[str]:
        with ledger.connection.transaction(), ledger.connection.cursor() as cursor:
            return catches.cordon(cursor, lies[label], run=1, worker="w", configured=("one:8545",))

    connection = second.connection
    late = threading.Thread(target=lambda: found.append(cordon(second, "two:8545")))
    with first.connection.transaction(), first.connection.cursor() as cursor:
        catches.cordon(cursor, lies["one:8545"], run=1, worker="w", configured=("one:8545",))
        late.start()
        waiting = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        for _ in range(1_000_000):
            row = cursor.execute(waiting, (connection.info.backend_pid,)).fetchone()
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            if row == ("Lock",):
                break
        else:
            raise AssertionError("the second worker does not wait")
    late.join(10)
    assert found == [[]]
    assert cordoned() == ["one:8545"]


def test_nothing_is_accused_where_the_chunk_is_lost_or_the_commit_fails(
    start: Start, ledger: Ledger, nodes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(1)
    claim = ledger.claim()
    assert claim is not None
    with monkeypatch.context() as patched:
        patched.setattr(catches, "_RAISE", "SELECT 1/0")
        with pytest.raises(psycopg.DataError):
            ledger.settle(claim, caught(claim, "one:8545"))
    left = Result.objects.count(), Catch.objects.count(), Control.objects.count()
    assert (cordoned(), *left) == ([], 0, 0, 0)
    assert ledger.settle(claim, caught(claim, "one:8545"))
    assert not ledger.settle(claim, caught(claim, "two:8545"))
    assert (cordoned(), Catch.objects.count()) == (["one:8545"], 1)


def test_a_node_that_always_lies_fills_no_table(
    start: Start, ledger: Ledger, nodes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catches, "KEPT_A_NODE", 30)
    for _ in range(2):
        start(25)
        assert settle(ledger, "one:8545")
    newest = Catch.objects.order_by("-id").values_list("id", flat=True)
    assert len(newest) == 30
    assert newest[0] - newest[29] == 29  # the oldest went


def test_of_all_nodes_together_the_newest_catches_are_kept(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node in range(7):
        Catch.objects.create(label=f"gone:{node}", subject="head", check_name="hash", detail="")
    monkeypatch.setattr(retention, "CATCHES", 7)
    assert retention.forget_catches() == 0
    monkeypatch.setattr(retention, "CATCHES", 3)
    assert retention.forget_catches() == 4
    kept = Catch.objects.order_by("id").values_list("label", flat=True)
    assert list(kept) == ["gone:4", "gone:5", "gone:6"]


def test_a_hostile_detail_is_cut_and_cleaned(start: Start, ledger: Ledger, nodes: None) -> None:
    start(1)
    claim = ledger.claim()
    assert claim is not None
    lie = Caught(node="one:8545", check="hash", detail="nul \x00 tab\t\\. " + "x" * 900)
    [outcome] = outcomes(claim)
    ledger.configured = ("one:8545",)
    assert ledger.settle(claim, [msgspec.structs.replace(outcome, caught=(lie,))])
    assert len(Catch.objects.get().detail) == 500
    assert "nul \ufffd tab" in Node.objects.get(label="one:8545").cordon_reason


def test_catches_go_with_their_run(start: Start, ledger: Ledger, nodes: None) -> None:
    run = start(1)
    settle(ledger, "one:8545")
    Catch.objects.create(label="drill:1", subject="head", check_name="asked", detail="of no run")
    retention.forget_orphans()
    assert Catch.objects.count() == 2
    run.delete()
    retention.forget_orphans()
    assert [row.label for row in Catch.objects.all()] == ["drill:1"]
