"""No list reads a table of ten thousand rows through, however it is filtered, sorted and asked."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from console.roadmap.gates import standing
from tests import made_up_fleet
from tests.store import plenty
from tests.store.plans import Scan, large_tables, scans

_DIGITS = re.compile(r"\d+")
ABOVE = 10_000
# Of what a list leaves out it may read a page or two, never a table.
IN_VAIN = 2_000
BIG = f"/validations/{plenty.LARGE}/"
RUNS = [
    *("", "?page=3", "?sort=oldest", "?sort=largest", "?sort=largest&state=done"),
    *("?format=csv", "?format=csv&sort=oldest", "?format=json&sort=largest"),
    *(f"?state={state}" for state in ("running", "draft", "done", "cancelled")),
    *("?q=needle", "?q=need+40&state=done", "?q=V-77", "?q=block:77", "?q=nothing+of+it"),
]
ITEMS = [
    *("", "?after=6000", "?verdict=valid", "?verdict=not_valid", "?verdict=invalid"),
    *("?verdict=waiting", "?verdict=error", "?verdict=invalid&reason=hash_mismatch", "items/77/"),
]
AUDIT = [
    *(
        "",
        "?before=300",
        "?who=person-77",
        "?who=nobody",
        "?kind=rare",
        "?kind=none",
        "?kind=flags",
    ),
    *("?action=purge", "?action=none", "?target=target-7", "?q=needle", "?q=no+such+word"),
    *("?range=1h", "?from=2000-01-01&to=2000-01-02", "?q=person&range=24h", "?format=csv"),
]
OTHERS = [
    *("/", "/workers/", "/breakers/", "/breakers/l2/", "/nodes/", f"/nodes/{made_up_fleet.POOL}/"),
    *("/pools/", "/caches/", "/flags/", "/flags/cache.codec/", "/database/", "/settings/tokens/"),
    *("/roadmap/", "/roadmap/?view=list", "/roadmap/?view=targets", "/roadmap/export.csv"),
    *("/roadmap/report/", "/find/?q=cache"),
]
API = [
    *(
        "runs",
        "runs?state=running",
        "runs?before=300",
        "runs?q=needle",
        "runs?q=nothing&state=done",
    ),
    *(f"runs/{plenty.LARGE}", f"runs/{plenty.LARGE}/results", "audit?before=300"),
    *("audit?who=person-77", "audit?kind=none", "audit?action=none", "audit?target=none"),
    *("audit?q=needle", "audit?q=no+such+word", "audit?from=2000-01-01T00:00:00Z&to=2000-01-02"),
    *("nodes", f"nodes/{made_up_fleet.POOL}", "breakers", "breakers/l2", "pools", "caches"),
    *("flags", "flags/cache.codec", "workers", "database", "optimisations"),
]
ADDRESSES = [
    *(f"/validations/{query}" for query in RUNS),
    *(f"{BIG}{rest}" for rest in ITEMS),
    *(f"/audit/{query}" for query in AUDIT),
    *OTHERS,
    *(f"/api/v1/{rest}" for rest in API),
]


@pytest.fixture(scope="module")
def _plenty(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), plenty.rows():
        yield


@pytest.fixture
def admin(_plenty: None, db: None) -> Client:
    user = User.objects.create_user("the-admin")
    user.groups.add(Group.objects.get(name="admin"))
    client = Client()
    client.force_login(user)
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(3))
    return client


def _scans(client: Client, address: str) -> list[Scan]:
    standing.forget()  # what another address made the process remember is looked at here too
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address)
        assert response.status_code == 200, (response.status_code, response.content[:500])
        if response.streaming:
            b"".join(response)
    # Pages of an export differ by their keys alone: the first and the last of each are looked at.
    shapes: dict[str, list[str]] = {}
    for query in asked.captured_queries:
        shapes.setdefault(_DIGITS.sub("", query["sql"]), []).append(query["sql"])
    looked_at = {sql for found in shapes.values() for sql in (found[0], found[-1])}
    return [scan for sql in looked_at for scan in scans(sql)]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_list_reads_no_large_table_through(admin: Client, address: str) -> None:
    large = large_tables(ABOVE)
    found = [scan for scan in _scans(admin, address) if scan.table in large]
    assert not [scan for scan in found if scan.is_whole]
    assert not [scan for scan in found if scan.discarded > IN_VAIN]


def test_the_tables_that_lists_show_are_large_here(admin: Client) -> None:
    assert large_tables(ABOVE) >= {
        *("validation_run", "validation_chunk", "validation_item", "validation_result"),
        *("validation_evidence", "validation_catch", "access_auditentry", "flags_plannedstage"),
    }


def test_a_search_that_no_index_serves_would_be_seen(admin: Client) -> None:
    """The test of the test: what this module walks for is found where it is."""
    [scan] = scans("SELECT count(*) FROM validation_run WHERE title ILIKE '%needle%'")
    assert scan.is_whole
    assert scan.table == "validation_run"
    assert scan.discarded > IN_VAIN
