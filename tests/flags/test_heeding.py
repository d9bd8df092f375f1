"""A worker's turn: woken by an event, deciding where nobody can be asked, telling what holds."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from openfeature import api
from structlog.testing import capture_logs

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
from validation.slots import BEAT_S, Slots
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
    heeding.stop(connection)
    assert not Slot.objects.exists()


class Stopped(Source):
    is_stopped = False

    def stop(self) -> None:
        self.is_stopped = True


@pytest.mark.parametrize("has_connection", [False, True])
def test_stopping_waits_for_no_server_and_stops_the_source_whatever_it_says(
    connection: psycopg.Connection[Any], has_connection: bool
) -> None:
    source = Stopped(codec("none"))
    heeding = Heeding(InstantEngine(), source, holder="me")
    heeding.heed(lambda: connection)
    connection.execute("ALTER TABLE validation_slot RENAME TO validation_slot_gone")
    try:
        heeding.stop(connection if has_connection else None)
    finally:
        connection.execute("ALTER TABLE validation_slot_gone RENAME TO validation_slot")
    assert source.is_stopped


class Beginning(InstantEngine):
    has_begun = False

    def begin(self) -> None:
        self.has_begun = True


@pytest.mark.parametrize("defect", ["slots", "flags"])
def test_a_defect_of_slots_or_flags_keeps_nobody_from_other_controls(
    connection: psycopg.Connection[Any], defect: str
) -> None:
    engine, source = Beginning(), Source(codec("zstd"))
    heeding = Heeding(engine, source, holder="me")
    Control.objects.create(kind="purge", name="all", revision=1, reason="r", actor="a")
    change(2)
    if defect == "slots":
        connection.execute("ALTER TABLE validation_slot RENAME TO validation_slot_gone")
    else:
        source.fails = psycopg.errors.UndefinedColumn("column flags_flag.new does not exist")
    try:
        with capture_logs() as logs:
            for _ in range(3):
                heeding.heed(lambda: connection)
    finally:
        if defect == "slots":
            connection.execute("ALTER TABLE validation_slot_gone RENAME TO validation_slot")
    assert engine.has_begun
    assert heeding.told()["acknowledged"] == (2 if defect == "slots" else 1)
    said = [log["event"] for log in logs if log["event"] in {"slots.not_read", "flags.not_read"}]
    assert said == [f"{defect}.not_read"], "once, not at each turn"


def test_numbers_that_cannot_be_read_for_once_leave_the_last(
    connection: psycopg.Connection[Any],
) -> None:
    now = [0.0]
    heeding = Heeding(InstantEngine(), Source(), holder="me", clock=lambda: now[0])
    heeding.heed(lambda: connection)
    now[0] += BEAT_S
    connection.execute("ALTER TABLE validation_slot RENAME TO validation_slot_gone")
    try:
        heeding.heed(lambda: connection)
    finally:
        connection.execute("ALTER TABLE validation_slot_gone RENAME TO validation_slot")
    assert heeding.told()["slot"] == 0


class Asked(Source):
    """Counts how often a flag was asked for."""

    def __init__(self, served: dict[str, Any]) -> None:
        super().__init__(served)
        self.questions = 0

    def _serve(self, served: dict[str, Any]) -> None:
        asked = self

        class Counting(FlagdFile):
            def resolve_string_details(
                self, flag_key: str, default_value: str, evaluation_context: Any = None
            ) -> Any:
                asked.questions += 1
                return super().resolve_string_details(flag_key, default_value, evaluation_context)

        api.set_provider(Counting(served), "validation")


def test_flags_are_asked_again_only_where_the_answer_may_be_another(
    connection: psycopg.Connection[Any],
) -> None:
    engine, source = InstantEngine(), Asked(codec("none"))
    heeding = Heeding(engine, source, holder="me")

    def questions() -> int:
        before = source.questions
        heeding.heed(lambda: connection)
        return source.questions - before

    once = questions()
    assert once > 0
    assert [questions(), questions()] == [0, 0]
    assert len(engine.decided) >= 3, "the engine is told at each turn all the same"
    evaluations = {each.key: each.evaluations for each in heeding.told()["flags"]}
    assert evaluations[flags.CODEC.key]["none"] >= 3, "each turn counts"
    source.next = codec("zstd")
    change(1)
    assert questions() > 0
    assert engine.decided[-1].value(flags.CODEC) == "zstd"
    source.is_timed = True
    assert [questions(), questions()] == [once, once]
    source.is_timed = False
    Slots("worker", "other").beat(connection)
    heeding._slots._next_beat = 0.0  # its beat is due
    assert questions() == once, "it has another standing"


def test_what_cannot_be_decided_is_said_once(connection: psycopg.Connection[Any]) -> None:
    class Broken(InstantEngine):
        def decide(self, decisions: Decisions) -> Mapping[str, str]:
            del decisions
            raise KeyError("codec")

    heeding = Heeding(Broken(), Source(codec("none")), holder="me")
    with capture_logs() as logs:
        for _ in range(3):
            heeding.heed(lambda: connection)
    assert [log["event"] for log in logs].count("flags.not_decided") == 1


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
