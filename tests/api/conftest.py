"""A program with a token of each role, and runs to ask about."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console.access.tokens import create_token
from tests.access.conftest import (  # noqa: F401 - fixtures, found by name
    clients,
    people,
    quick_passwords,
    static_root,
)
from tests.controls.conftest import (  # noqa: F401 - fixtures, found by name
    empty_cache,
    no_valkey,
    publish,
)
from tests.records import check_fields
from validation.models import Result, Run


@pytest.fixture
def programs(people: dict[str, User]) -> dict[str, Client]:  # noqa: F811 - the fixture
    """A client that sends the token of each role; `anonymous` sends none."""
    found = {"anonymous": Client()}
    for role, user in people.items():
        _, secret = create_token(user, role, role)
        found[role] = Client(headers={"Authorization": f"Bearer {secret}"})
    return found


@pytest.fixture
def operator(programs: dict[str, Client]) -> Client:
    return programs["operator"]


@pytest.fixture
def finished_run(db: None) -> Callable[..., Run]:
    """A run that ended with `count` results."""

    def make(count: int = 3, **fields: object) -> Run:
        run = Run.objects.create(state="done", title="done", total=count, origin="api", **fields)
        results = [
            Result(
                run=run,
                ordinal=n,
                subject=f"block:{n}",
                verdict="valid" if n else "invalid",
                level=2,
                reason="ok" if n else "hash_mismatch",
                node="node:8545",
                ms=1.5,
                **check_fields([{"name": "hash", "status": "pass", "detail": "=1+1"}]),
            )
            for n in range(count)
        ]
        Result.objects.bulk_create(results)
        return run

    return make
