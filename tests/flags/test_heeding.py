"""A worker's turn: woken by an event, deciding where nobody can be asked, telling what holds."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from openfeature import api

from monitoring import events
from tests.flags.conftest import FlagdFile, Serve
from tests.flags.test_deciding import flag
from tests.fleet import wait_until
from tests.runs.conftest import new_ledger, start
from tests.runs.test_worker import HangingEngine, InstantEngine
from validation import flags, wiring, worker
from validation.deciding import Decisions, NoFlags
from validation.heeding import Heeding
from validation.ledger import Ledger
from validation.models import Control, ControlRevision, Run, Slot
from validation.worker import Worker

__all__ = ["new_ledger", "start"]


class Source(NoFlags):
    """Serves what it is given from the next refresh on."""

    def __init__(self, served: dict[str, Any] | None = None) -> None:
        self.next = served or {}
        self.last_known_good: dict[str, Any] = {}
        self.revision = 0
        self.fails: Exception | None = None

    def start(self) -> None:
        self._serve(self.last_known_good)

    def refresh(self, connection: psycopg.Connection[Any]) -> bool:
        connection.execute("SELECT 1")
        if self.fails is not None:
            raise self.fails
        self.revision += 1
        self._serve(self.next)
        return True

    def _serve(self, served: dict[str, Any]) -> None:
        api.set_provider(FlagdFile(served), "validation")


@pytest.fixture
def connection(transactional_db: None, serve: Serve) -> Iterator[psycopg.Connection[Any]]:
    del serve  # its provider is forgotten afterwards
    with wiring.connect() as opened:
        yield opened


def codec(name: str) -> dict[str, Any]:
    return {flags.CODEC.key: flag("none", "zstd", "lz4", default=name)}


def change(revision: int) -> None:
    Control.objects.update_or_create(
        kind="flags", name="", defaults={"revision": revision, "reason": "r", "actor": "a"}
    )
    ControlRevision.objects.update_or_create(id=1, defaults={"value": revision})


def away() -> psycopg.Connection[Any]:
    raise psycopg.OperationalError("connection refused")


def test_flags_are_read_with_the_first_turn_and_then_when_they_change(
    connection: psycopg.Connection[Any],
) -> None:
    engine, source = InstantEngine(), Source(codec("none"))
    heeding = Heeding(engine, source, holder="me")
    heeding.heed(lambda: connection)
    assert engine.decided[-1].value(flags.CODEC) == "none"
    source.next = codec("zstd")
    heeding.heed(lambda: connection)
    assert engine.decided[-1].value(flags.CODEC) == "none"  # nobody said that they changed
    change(7)
    assert heeding.heed(lambda: connection)
    assert engine.decided[-1].value(flags.CODEC) == "zstd"
    told = heeding.told()
    assert (told["acknowledged"], told["flags_revision"], told["slot"]) == (7, 2, 0)
    report = next(each for each in told["flags"] if each.key == flags.CODEC.key)
    assert (report.variant, report.value, report.reason) == ("zstd", "zstd", "STATIC")
    heeding.stop(lambda: connection)
    assert not Slot.objects.exists()


class Refusing(InstantEngine):
    """Does not know what some flags want of it."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown = {"lz4"}

    def decide(self, decisions: Decisions) -> Mapping[str, str]:
        super().decide(decisions)
        value = decisions.value(flags.CODEC)
        return {flags.CODEC.key: f"none named {value}"} if value in self.unknown else {}


def test_what_is_not_in_force_is_not_acknowledged(connection: psycopg.Connection[Any]) -> None:
    engine, source = Refusing(), Source(codec("none"))
    heeding = Heeding(engine, source, holder="me")
    change(1)
    heeding.heed(lambda: connection)
    assert heeding.told()["acknowledged"] == 1
    source.next = codec("lz4")
    change(2)
    for _ in range(2):
        heeding.heed(lambda: connection)
        assert heeding.told()["acknowledged"] == 1
    engine.unknown = set()
    heeding.heed(lambda: connection)
    assert heeding.told()["acknowledged"] == 2


def test_a_table_that_cannot_be_read_leaves_the_flags_and_the_other_controls(
    connection: psycopg.Connection[Any],
) -> None:
    engine, source = InstantEngine(), Source(codec("zstd"))
    heeding = Heeding(engine, source, holder="me")
    heeding.heed(lambda: connection)
    source.fails = KeyError("variants")
    change(3)
    Control.objects.create(kind="purge", name="all", revision=2, reason="r", actor="a")
    heeding.heed(lambda: connection)
    assert heeding.told()["acknowledged"] == 2
    assert engine.decided[-1].value(flags.CODEC) == "zstd"
    source.fails = None
    heeding.heed(lambda: connection)
    assert heeding.told()["acknowledged"] == 3


def test_postgres_away_keeps_the_number_and_goes_on_deciding(
    connection: psycopg.Connection[Any],
) -> None:
    ranked = {"if": [{"==": [{"var": "rank"}, 0]}, "zstd", "none"]}
    served = codec("none")
    served[flags.CODEC.key]["targeting"] = ranked
    engine = InstantEngine()
    heeding = Heeding(engine, Source(served), holder="me")
    heeding.heed(lambda: connection)
    count = len(engine.decided)
    for turn in range(3):
        with pytest.raises(psycopg.OperationalError):
            heeding.heed(away)
        assert len(engine.decided) == count + turn + 1
        assert engine.decided[-1].value(flags.CODEC) == "zstd"


def test_both_away_at_a_start_leave_the_last_known_good(serve: Serve) -> None:
    del serve
    engine, source = InstantEngine(), Source()
    source.last_known_good = codec("zstd")
    heeding = Heeding(engine, source, holder="me")
    heeding.start()
    assert engine.decided[-1].value(flags.CODEC) == "zstd"
    with pytest.raises(psycopg.OperationalError):
        heeding.heed(away)
    assert engine.decided[-1].value(flags.CODEC) == "zstd"
    assert heeding.told()["acknowledged"] is None


def test_a_source_that_cannot_start_leaves_the_codes_defaults(serve: Serve) -> None:
    del serve

    class Broken(Source):
        def start(self) -> None:
            raise OSError("VAR_DIR is gone")

    engine = InstantEngine()
    Heeding(engine, Broken(), holder="me").start()
    assert engine.decided[-1].value(flags.CODEC) == flags.CODEC.default


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_an_event_wakes_the_worker_whatever_it_does(
    start: Callable[..., Run],
    new_ledger: Callable[[str], Ledger],
    monkeypatch: pytest.MonkeyPatch,
    serve: Serve,
    busy: bool,
) -> None:
    """Its own turns come each minute here: what happens sooner is the event's doing."""
    del serve
    monkeypatch.setattr(worker, "HEED_EVERY_S", 60.0)
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 60.0)
    engine = HangingEngine()
    made = Worker(new_ledger("w"), engine, flags=Source(codec("zstd")), heartbeat_s=60.0)
    made.start()
    working = threading.Thread(target=made.drain, args=(60.0,))
    try:
        if busy:
            start(1)
            working.start()
        wait_until(lambda: len(engine.decided) > 1, within_s=10, what="its first turn")
        for _ in range(3):
            count = len(engine.decided)
            events.publish("controls")
            wait_until(lambda c=count: len(engine.decided) > c, within_s=10, what="it is woken")  # type: ignore[misc]
    finally:
        made.stop()
        if busy:
            working.join(10)
