"""Which requests read from a replica, and what is asked again of the primary."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connections, router
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import resolve

from console.access.models import AuditEntry
from console.database import ReplicaUrl
from console.flags import web
from console.flags.catalogue import REPLICA_ROUTING
from console.flags.models import Flag
from console.replicas import reading, written
from console.replicas.router import ReplicaRouter
from console.replicas.watch import Watch
from console.replicas.written import Written
from monitoring import valkey
from validation.models import Control, Run

pytestmark = pytest.mark.django_db
ADA = 7
LIST = "/validations/"


@pytest.fixture
def replica(db: None) -> Iterator[Watch]:
    """A replica that has everything at once: the same database under another alias."""
    connections.databases["replica_1"] = connections.databases["default"]
    link = connections["replica_1"]

    def connect() -> None:
        """Django's own would refuse a database that was not there when the tests began."""
        if link.connection is None:
            link.connect()

    link.ensure_connection = connect  # type: ignore[method-assign]
    valkey.client().delete(f"switchyard:wrote:{ADA}")
    watch = Watch([ReplicaUrl(label="replica_1", url="postgresql:///x", weight=1)])
    watch.replicas[0].judgement.in_use = True
    reading.watch_with(watch)
    # The test's own transaction is on the primary.
    with (
        patch.object(connections["default"], "in_atomic_block", new=False),
        patch.object(reading, "WRITTEN", Written()),
    ):
        yield watch
    reading.watch_with(None)
    link.close()
    del connections["replica_1"]
    del connections.databases["replica_1"]
    watch.stop()


def request_for(path: str, method: str = "GET", **headers: Any) -> HttpRequest:
    request: HttpRequest = RequestFactory().generic(method, path, headers=headers)
    request.resolver_match = resolve(path)
    return request


def where(request: HttpRequest, person: int | None = ADA) -> list[str]:
    """The aliases that a view reads from, each time that it is asked."""
    asked: list[str] = []

    def view() -> HttpResponse:
        asked.append(ReplicaRouter().db_for_read(Run))
        return HttpResponse()

    reading.answer(request, person, view)
    return asked


@pytest.mark.parametrize(
    "path",
    [
        *(LIST, "/validations/3/", "/validations/3/items/1/", "/validations/3/results.csv"),
        *("/api/v1/runs", "/api/v1/runs/3/results"),
    ],
)
def test_what_has_ended_or_is_a_picture_is_read_from_a_replica(replica: Watch, path: str) -> None:
    assert where(request_for(path)) == ["replica_1"]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/audit/", "/flags/", "/nodes/", "/breakers/", "/settings/tokens/", "/database/"),
        *("/validations/new/", "/api/v1/runs/3", "/api/v1/audit", "/api/v1/flags", "/admin/"),
    ],
)
def test_what_is_live_or_decides_is_not(replica: Watch, path: str) -> None:
    assert where(request_for(path)) == ["default"]


def test_nor_is_what_writes_or_what_an_event_announced(replica: Watch) -> None:
    assert where(request_for("/api/v1/runs", "POST")) == ["default"]
    assert where(request_for(LIST, **{"HX-Request": "true"})) == ["default"]


def test_nobody_in_particular_reads_from_the_primary(replica: Watch) -> None:
    assert where(request_for(LIST), person=None) == ["default"]


def test_the_flag_turns_it_off(replica: Watch) -> None:
    with patch.object(web, "_current", web.WebDecisions.by({REPLICA_ROUTING.key: "off"})):
        assert where(request_for(LIST)) == ["default"]


def test_a_variant_of_another_release_is_as_off(replica: Watch) -> None:
    with patch.object(web, "_current", web.WebDecisions.by({REPLICA_ROUTING.key: "quorum"})):
        assert where(request_for(LIST)) == ["default"]


def test_one_that_is_not_in_use_is_not_asked(replica: Watch) -> None:
    replica.replicas[0].judgement.in_use = False
    assert where(request_for(LIST)) == ["default"]


def test_only_what_runs_left_behind_may_stray(replica: Watch) -> None:
    found: dict[str, str] = {}

    def view() -> HttpResponse:
        for model in (Run, User, AuditEntry, Flag, Control):
            found[model.__name__] = ReplicaRouter().db_for_read(model)
        found["writes"] = ReplicaRouter().db_for_write(Run)
        with patch.object(connections["default"], "in_atomic_block", new=True):
            found["in a transaction"] = ReplicaRouter().db_for_read(Run)
        return HttpResponse()

    reading.answer(request_for(LIST), ADA, view)
    assert found.pop("Run") == "replica_1"
    assert set(found.values()) == {"default"}
    assert ReplicaRouter().db_for_read(Run) == "default", "outside of a request"


def test_what_goes_on_is_read_from_the_primary_for_the_rest(replica: Watch) -> None:
    found: list[str] = []

    def view() -> HttpResponse:
        for is_finished in (True, False, True):
            reading.only_if(is_finished)
            found.append(reading.alias())
        return HttpResponse()

    reading.answer(request_for(LIST), ADA, view)
    assert found == ["replica_1", "default", "default"]


def _missing() -> HttpResponse:
    raise Http404


def _ill() -> HttpResponse:
    raise OperationalError


@pytest.mark.parametrize(
    "ask", [_missing, _ill, lambda: HttpResponse(status=404), lambda: HttpResponse(status=503)]
)
def test_whatever_fails_there_is_asked_again(
    replica: Watch, ask: Callable[[], HttpResponse]
) -> None:
    asked: list[str] = []

    def view() -> HttpResponse:
        asked.append(reading.alias())
        return ask() if len(asked) == 1 else HttpResponse("well")

    answer = reading.answer(request_for(LIST), ADA, view)
    assert (asked, answer.status_code) == (["replica_1", "default"], 200)
    assert replica.replicas[0].judgement.in_use is (ask is not _ill)


def test_what_is_nowhere_is_not_there(replica: Watch) -> None:
    with pytest.raises(Http404):
        reading.answer(request_for("/validations/3/"), ADA, _missing)


def test_a_download_goes_on_where_it_began(replica: Watch) -> None:
    def chunks() -> Iterator[str]:
        for _ in range(3):
            yield reading.alias()

    def view() -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks())

    answer = reading.answer(request_for("/validations/3/results.csv"), ADA, view)
    assert isinstance(answer, StreamingHttpResponse)
    assert list(answer) == [b"replica_1"] * 3
    assert reading.alias() == "default"


def test_a_download_that_breaks_off_is_not_taken_for_the_whole(replica: Watch) -> None:
    def chunks() -> Iterator[str]:
        yield "a part"
        raise OperationalError

    answer = reading.answer(
        request_for("/validations/3/results.csv"), ADA, lambda: StreamingHttpResponse(chunks())
    )
    assert isinstance(answer, StreamingHttpResponse)
    got = iter(answer)
    assert next(got) == b"a part"
    with pytest.raises(OperationalError):
        next(got)
    assert not replica.replicas[0].judgement.in_use


def test_whoever_wrote_waits_until_the_replica_has_it(replica: Watch) -> None:
    reading.note_write(ADA)
    # Of this one the database says that it follows nobody: it has replayed nothing.
    assert where(request_for(LIST)) == ["default"]
    assert where(request_for(LIST), person=ADA + 1) == ["replica_1"]
    replica.replicas[0].replayed = 2**63
    assert where(request_for(LIST)) == ["replica_1"]


def test_where_the_write_ended_unknown_no_replica_has_it(replica: Watch) -> None:
    with patch.object(connections["default"], "cursor", side_effect=OperationalError):
        reading.note_write(ADA)
    replica.replicas[0].replayed = 2**63
    assert where(request_for(LIST)) == ["default"]


def test_without_replicas_nothing_is_remembered(db: None) -> None:
    with patch.object(reading, "WRITTEN", Written(client=_missing)):
        reading.note_write(ADA)
        assert where(request_for(LIST)) == ["default"]


def test_raw_questions_go_where_djangos_do(replica: Watch) -> None:
    with patch.object(router, "routers", [ReplicaRouter()]):
        seen: list[str] = []

        def view() -> HttpResponse:
            seen.append(router.db_for_read(Run))
            return HttpResponse()

        reading.answer(request_for(LIST), ADA, view)
        assert (seen, router.db_for_read(Run)) == (["replica_1"], "default")


def test_one_that_freezes_in_the_middle_costs_a_moment_and_not_the_answer(replica: Watch) -> None:
    asked: list[str] = []

    def view() -> HttpResponse:
        asked.append(reading.alias())
        if asked[-1] == "replica_1":
            with connections["replica_1"].cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")
        return HttpResponse("all of it")

    began = time.monotonic()
    with patch.object(reading, "_ANSWER_S", 0.3):
        answer = reading.answer(request_for(LIST), ADA, view)
    took_s = time.monotonic() - began
    with connections["default"].cursor() as cursor:  # or it sleeps on, in the test's database
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query = %s",
            ["SELECT pg_sleep(30)"],
        )
    assert isinstance(answer, HttpResponse)
    assert answer.content == b"all of it"
    assert asked == ["replica_1", "default"]
    assert took_s < 20  # a moment, and what a machine that stalls adds
    assert not replica.usable()


def test_a_browser_carries_what_it_wrote_where_valkey_never_heard(replica: Watch) -> None:
    """The process that wrote could not tell; this one knows what the browser says."""
    answer = HttpResponse()
    written.carry(answer, 2**60)
    reader = request_for(LIST)
    reader.COOKIES["switchyard_wrote"] = answer.cookies["switchyard_wrote"].value
    assert where(reader) == ["default"]
    reader.COOKIES["switchyard_wrote"] = str(2**60)  # made up
    assert where(reader) == ["replica_1"]
