"""A list asks the database as often for fifty rows as for a few."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access.audit import Actor, record
from console.access.roles import Role
from console.access.tokens import create_token
from console.flags.models import Flag, PlannedStage
from console.roadmap.gates import standing
from tests import made_up_fleet
from tests.records import check_fields
from validation.models import Catch, Chunk, Evidence, Item, Result, Run, RunState

# With fewer the overview need not count the rest of what runs.
FEW, MANY = 18, 50
CHECKS = [{"name": "hash", "status": "fail"}]
NODE = made_up_fleet.POOL
FLAG = "cache.codec"
PAGES = [
    *("/", "/validations/", "/validations/?q=list", "/validations/?state=done&sort=largest"),
    *("/validations/{run}/", "/validations/{run}/?verdict=not_valid", "/validations/?format=csv"),
    *("/audit/", "/audit/?q=list", "/audit/?format=csv", "/settings/tokens/", "/workers/"),
    *("/nodes/", f"/nodes/{NODE}/", "/breakers/", f"/breakers/{made_up_fleet.LOOKUP}/", "/pools/"),
    *("/caches/", "/flags/", f"/flags/{FLAG}/", "/database/", "/roadmap/", "/find/?q=cache"),
]
LISTS = ["runs", "runs?q=list", "runs/{run}/results", "audit", "audit?q=list", "nodes",
         f"nodes/{NODE}", "breakers", "pools", "caches", "flags", f"flags/{FLAG}",
         "workers", "database"]  # fmt: skip


def _fill(run: Run, people: list[User], number: int) -> None:
    """`number` more rows of everything that a list shows, of several people."""
    now = timezone.now()
    flag = Flag.objects.get(pk=FLAG)
    begin = Item.objects.filter(run_id=run.pk).count()
    for n in range(begin, begin + number):
        who = people[n % len(people)]
        state = RunState.RUNNING if n % 2 else RunState.DONE
        ended = None if n % 2 else now
        other = Run.objects.create(
            title=f"of a list {n}", state=state, total=1, origin="api", created_by=who,
            started_at=now, finished_at=ended,
        )  # fmt: skip
        Chunk.objects.create(run=other, first=0, size=1, state="done", closed_at=now, valid=1)
        Item.objects.create(run_id=run.pk, ordinal=n, subject=f"block:{n}")
        Result.objects.create(
            run_id=run.pk, ordinal=n, subject=f"block:{n}", verdict="invalid", level=2,
            reason="hash_mismatch", node=NODE, ms=1, **check_fields(CHECKS),
        )  # fmt: skip
        Evidence.objects.create(run_id=run.pk, ordinal=n, bundle=b"x")
        Catch.objects.create(
            label=NODE, run=run, ordinal=n, subject=f"block:{n}", check_name="hash", detail="other"
        )
        Chunk.objects.create(run=run, first=n, size=1, state="done", closed_at=now, invalid=1)
        actor = Actor(name=f"{who}-{n}", role=Role.ADMIN, origin="page")
        for kind, target in (("breaker", made_up_fleet.LOOKUP), ("nodes", NODE), ("flags", FLAG)):
            record(actor, "tune", kind=kind, target=target, before={}, after={},
                   reason=f"of a list {n}", revision=1_000_000 + n)  # fmt: skip
        PlannedStage.objects.create(
            flag=flag, at=now + timedelta(hours=n + 1), stage=5, based_on=1, reason="of a list",
            actor=str(who), role="admin",
        )  # fmt: skip


def _asked(client: Client, address: str) -> int:
    standing.forget()  # kept for ten seconds, it would be asked for in one look and not in another
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address)
        assert response.status_code == 200, response.content[:500]
        if response.streaming:
            b"".join(response)
    return len(asked)


@pytest.fixture
def counted(people: dict[str, User], admin: Client) -> Callable[[list[str]], dict[str, list[int]]]:
    """How often each address asks: with few rows, and with many."""
    run = Run.objects.create(
        title="of a list", state=RunState.DONE, total=MANY, origin="page",
        created_by=people["admin"], started_at=timezone.now(), finished_at=timezone.now(),
    )  # fmt: skip
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(3))

    def count(addresses: list[str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {address: [] for address in addresses}
        for number in (FEW, MANY - FEW):
            _fill(run, list(people.values()), number)
            for name, person in people.items():
                create_token(person, f"token {number}", name)
            for address in addresses:
                # Once before: what is remembered from then on is remembered now.
                _asked(admin, address.format(run=run.pk))
                found[address].append(_asked(admin, address.format(run=run.pk)))
        return found

    return count


def test_pages_ask_as_often_for_many_rows_as_for_few(
    counted: Callable[[list[str]], dict[str, list[int]]],
) -> None:
    found = counted(PAGES)
    assert not {address: asked for address, asked in found.items() if asked[0] != asked[1]}


def test_lists_of_the_api_ask_as_often_for_many_rows_as_for_few(
    counted: Callable[[list[str]], dict[str, list[int]]],
) -> None:
    found = counted([f"/api/v1/{name}" for name in LISTS])
    assert not {address: asked for address, asked in found.items() if asked[0] != asked[1]}
