"""Capacity: broken limits first, with a line to copy; Pools and the API say the same."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest
from django.test import Client
from pytest_django import Settings

from console import capacity
from console.capacity import live
from console.capacity.inputs import Inputs, Pool, Postgres
from console.capacity.readiness import Point
from console.flags.models import Flag
from console.pages import capacity as capacity_page
from console.pages import pools
from monitoring import processes
from monitoring.clocks import ClockReading
from monitoring.processes import ProcessSnapshot
from tests.capacity import numbers as made
from tests.capacity.numbers import bouncer
from tests.made_up_database import a_troubled_postgres, a_valkey, publish
from tests.made_up_fleet import a_worker
from tests.made_up_fleet import publish as workers
from tests.pages.conftest import Page

type See = Callable[..., Page]

BROKEN = made.numbers(pools=(Pool(processes=9, size=8),))


@pytest.fixture
def stands() -> Iterator[Callable[[Inputs], None]]:
    """The fleet as given."""
    with patch.object(live, "look") as look:
        yield lambda inputs: setattr(look, "return_value", inputs)


def test_what_is_broken_comes_first_with_what_mends_it(
    viewer: Client, see: See, stands: Callable[[Inputs], None]
) -> None:
    stands(BROKEN)
    page = see(viewer, "/capacity/")
    assert "Limits broken 1 of" in page.text
    assert "130 of 97 that Postgres grants" in page.text
    first = page.text.index("Broken Connections within max_connections postgres.connections")
    assert first < page.text.index("Holds Request threads")
    assert "The fleet opens 125 at most: 8 of 4 workers, 108 of 9 web processes" in page.text
    assert "ALTER SYSTEM SET max_connections = 133;" in page.text
    copies = [one["data-copies"] for one in page.all("button") if "data-copies" in one]
    assert "fix-postgres.connections" in copies
    assert set(copies) <= set(page.ids()), "each button has its text"


def test_no_data_is_said_and_counted(
    viewer: Client, see: See, stands: Callable[[Inputs], None]
) -> None:
    stands(made.numbers(postgres=None))
    text = see(viewer, "/capacity/").text
    assert "Not known 2 no data is never fine" in text
    assert "Connections wanted no data" in text
    assert "No data Connections within max_connections" in text
    assert "no data of no data" not in text


def test_other_numbers_of_workers(
    viewer: Client, see: See, stands: Callable[[Inputs], None]
) -> None:
    stands(made.numbers())
    page = see(viewer, "/capacity/?workers=64")
    assert "As it would be with 64 workers and WORKERS set to it, not as it is." in page.text
    assert "166 of 97 connections" in page.text
    assert "max_connections 100 169" in page.text
    assert "events" not in " ".join(str(one) for one in page.tags if "hx-sse:connect" in one[1])


NO_NUMBERS = ("0", "513", "-1", "many", "4.5", "\N{FULLWIDTH DIGIT NINE}", "9" * 40)


@pytest.mark.parametrize("asked", NO_NUMBERS)
def test_what_is_no_number_of_workers_is_refused_by_name_and_value(
    viewer: Client, asked: str
) -> None:
    answer = viewer.get("/capacity/", {"workers": asked})
    assert answer.status_code == 422
    text = Page(answer.content.decode()).text
    assert f"workers: '{asked[:20]}' is not a whole number from 1 to 512." in text


def test_points_of_readiness_are_looked_at(viewer: Client, see: See) -> None:
    text = see(viewer, "/capacity/").text
    assert "Holds A person may be served by any instance" in text
    assert "0 of the 3 newest sessions were signed with another key" in text
    assert "Broken The servers are reached from other machines" in text
    assert "No data The broker forgets nothing when the cache is full" in text
    Flag.objects.filter(key="rpc.rate_limit").update(target="process", stage=100)
    text = see(viewer, "/capacity/").text
    assert "rpc.rate_limit is process: 100 % of processes know only of themselves." in text
    assert "manage.py flag rpc.rate_limit fleet" in text


def test_clocks_are_compared_by_what_processes_tell_of_them(viewer: Client, see: See) -> None:
    title = "The machines&#x27; clocks agree".replace("&#x27;", "'")
    assert (
        f"No data {title} No process has told of its clock yet." in see(viewer, "/capacity/").text
    )
    # However old the last look at Postgres is: nobody's clock is wrong for that.
    publish(postgres=a_troubled_postgres())
    for host, ahead_s, word in (("web-1", 0.4, "Holds"), ("web-2", 31.0, "Broken")):
        clock = ClockReading(ahead_s=ahead_s, within_s=0.01)
        processes.publish(
            ProcessSnapshot(incarnation=f"{host}:1:1", kind="web", sequence=1, clock=clock)
        )
        assert f"{word} {title} The clocks of " in see(viewer, "/capacity/").text
    text = see(viewer, "/capacity/").text
    assert "The clocks of web-2 and the cache server are 31.00 s apart" in text


def test_a_session_of_another_key_is_seen(viewer: Client, see: See, settings: Settings) -> None:
    see(viewer, "/")
    settings.SECRET_KEY = "of another instance" + "x" * 40
    [point] = [one for one in capacity.capacity().readiness if one.key == "secret"]
    assert point.holds is False
    assert point.said.startswith("3 of the 3 newest sessions")


def test_the_broker_must_not_forget(viewer: Client, see: See) -> None:
    publish(broker=a_valkey(policy="noeviction"), valkey=a_valkey())
    assert "Holds The broker forgets nothing" in see(viewer, "/capacity/").text
    publish(broker=a_valkey(policy="allkeys-lru"))
    assert "Broken The broker forgets nothing" in see(viewer, "/capacity/").text


def test_one_server_with_two_databases_is_one(viewer: Client, see: See, settings: Settings) -> None:
    settings.REDIS_URL, settings.CELERY_BROKER_URL = "redis://h/0", "redis://h:6379/1"
    publish(broker=a_valkey(policy="noeviction"), valkey=a_valkey())
    point = ready("broker")
    assert point.holds is False
    assert point.fix == "CELERY_BROKER_URL=… a server of its own"


def test_ten_instances_are_held_against_the_roles_limit_too(
    viewer: Client, stands: Callable[[Inputs], None]
) -> None:
    roomy = Postgres(max_connections=1000, user="app")
    stands(made.numbers(postgres=roomy))
    assert (ready("connections").holds, ready("connections").fix) == (True, "")
    stands(made.numbers(postgres=Postgres(max_connections=1000, user="app", role=40)))
    point = ready("connections")
    assert (point.holds, "CONNECTION LIMIT" in point.fix) == (False, True)
    wide = (Pool(size=8), Pool(server="replica_1", size=200))
    stands(made.numbers(pools=wide, postgres=roomy))
    assert ready("connections").holds is False, "ten of them would hold 2 000 of a replica"


def test_a_point_that_holds_has_nothing_to_do(viewer: Client) -> None:
    points = capacity.capacity().readiness
    assert [point.fix for point in points if point.holds] == ["" for point in points if point.holds]
    assert any(point.holds for point in points)


def ready(key: str) -> Point:
    [found] = [one for one in capacity.capacity().readiness if one.key == key]
    return found


def test_what_is_no_number_gives_no_file_either(viewer: Client) -> None:
    for form in ("csv", "json"):
        answer = viewer.get("/capacity/", {"workers": "abc", "format": form})
        assert answer.status_code == 422
        assert b"workers: 'abc' is not a whole number" in answer.content


def test_the_files_of_another_number_are_of_that_number(viewer: Client, see: See) -> None:
    links = [one.get("href") or "" for one in see(viewer, "/capacity/?workers=64").all("a")]
    assert {link for link in links if "format=" in link} == {
        "/capacity/?format=csv&workers=64", "/capacity/?format=json&workers=64"
    }  # fmt: skip
    links = [one.get("href") or "" for one in see(viewer, "/capacity/").all("a")]
    assert {link for link in links if "format=" in link} == {
        "/capacity/?format=csv", "/capacity/?format=json"
    }  # fmt: skip


def test_what_is_live_asks_postgres_nothing_and_one_page_looks_once(
    viewer: Client, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    with django_assert_num_queries(0):
        capacity_page.load_live()
    with patch("monitoring.processes.told", wraps=processes.told) as told:
        pools.load()
    assert told.call_count == 1


def test_the_table_as_a_file(viewer: Client, stands: Callable[[Inputs], None]) -> None:
    stands(made.numbers(times=made.numbers().times))
    rows = json.loads(b"".join(viewer.get("/capacity/?format=json")))
    assert {row["key"] for row in rows} >= {"postgres.connections", "memory.machine"}
    assert b"postgres.connections" in b"".join(viewer.get("/capacity/?format=csv&workers=64"))


def test_api_page_alert_and_pools_say_the_same(
    viewer: Client, see: See, stands: Callable[[Inputs], None]
) -> None:
    workers(a_worker(1))
    publish(postgres=a_troubled_postgres())
    stands(made.numbers(bouncer=bouncer(clients=36), postgres=Postgres(max_connections=30)))
    api = viewer.get("/api/v1/capacity").json()
    assert api["violated"] == ["postgres.connections", "pgbouncer.clients"]
    told = {one.subject: one.value for one in capacity.observations()}
    assert {key for key, value in told.items() if value} == set(api["violated"])
    connections = next(one for one in api["limits"] if one["key"] == "postgres.connections")
    assert (connections["uses"], connections["allows"]) == (45, 27)
    assert "45 of 27 that Postgres grants" in see(viewer, "/capacity/").text
    pools = see(viewer, "/pools/").text
    assert "45 of 27 connections" in pools
    assert "ALTER SYSTEM SET max_connections = 48;" in pools


def test_api_refuses_what_is_no_number_of_workers(viewer: Client) -> None:
    answer = viewer.get("/api/v1/capacity?workers=0")
    assert answer.status_code == 422
    assert "workers: '0' is not a whole number from 1" in answer.json()["detail"]
    assert viewer.get("/api/v1/capacity?workers=40").json()["workers"] == 40
