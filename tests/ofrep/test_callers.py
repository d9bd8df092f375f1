"""How often the database is asked of a token, and what holds while it cannot say."""

import asyncio
import threading

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError

from console.access.tokens import create_token
from console.flags.ofrep import callers as ofrep_callers
from console.flags.ofrep.callers import REMEMBERED_S, STALE_S, Callers, Standing
from console.flags.ofrep.wire import OfrepRefused
from tests.access.conftest import people, quick_passwords  # noqa: F401 - fixtures, found by name


class Database:
    """Tokens by secret; what was asked."""

    def __init__(self) -> None:
        self.known = {"swy_a": Standing(token=1, may=True)}
        self.asked: list[str] = []
        self.is_down = False
        self.answers = threading.Event()
        self.answers.set()
        # Secrets that begin so, while `answers` is not set.
        self.hangs_for = ""
        self.now = 0.0

    def __call__(self, secret: str) -> Standing | None:
        self.asked.append(secret)
        assert not secret.startswith(self.hangs_for) or self.answers.wait(10)
        if self.is_down:
            raise OperationalError("refused")
        return self.known.get(secret)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def callers(database: Database) -> Callers:
    return Callers(ask=database, clock=lambda: database.now)


async def settled(callers: Callers) -> None:
    """Once nothing is being looked up."""
    await asyncio.gather(*callers._asking.values(), return_exceptions=True)


async def refused(callers: Callers, secret: str = "swy_a") -> int:
    with pytest.raises(OfrepRefused) as said:
        await callers.of(secret)
    return said.value.status


async def test_many_calls_are_one_question(callers: Callers, database: Database) -> None:
    database.answers.clear()
    calls = asyncio.gather(*(callers.of("swy_a") for _ in range(100)))
    await asyncio.sleep(0)
    database.answers.set()
    assert {standing.token for standing in await calls} == {1}
    database.now += 0.9
    await callers.of("swy_a")
    assert database.asked == ["swy_a"]


async def test_a_token_is_asked_of_again_in_the_background_while_it_is_called_with(
    callers: Callers, database: Database
) -> None:
    await callers.of("swy_a")
    database.now += 1.5
    database.answers.clear()
    assert (await callers.of("swy_a")).token == 1  # not kept waiting
    database.answers.set()
    await settled(callers)
    assert len(database.asked) == 2


async def test_a_revoked_token_is_refused_within_two_seconds(
    callers: Callers, database: Database
) -> None:
    await callers.of("swy_a")
    del database.known["swy_a"]
    database.now += STALE_S
    assert await refused(callers) == 401
    database.known["swy_a"] = Standing(token=1, may=False)
    database.now += STALE_S
    assert await refused(callers) == 403


async def test_what_was_good_stays_so_for_ten_minutes_of_an_outage(
    callers: Callers, database: Database
) -> None:
    await callers.of("swy_a")
    database.is_down = True
    for _ in range(3):
        database.now += STALE_S
        assert (await callers.of("swy_a")).token == 1
    assert await refused(callers, "swy_b") == 503
    database.now += REMEMBERED_S
    assert await refused(callers) == 503
    database.is_down = False
    assert (await callers.of("swy_a")).token == 1


async def test_a_database_that_hangs_lets_nobody_wait_who_was_good(
    callers: Callers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ofrep_callers, "PATIENCE_S", 0.05)
    await callers.of("swy_a")
    database.answers.clear()
    async with asyncio.timeout(5):
        for _ in range(3):
            database.now += STALE_S
            assert (await callers.of("swy_a")).token == 1
    assert len(database.asked) == 2  # one question, which still hangs
    del database.known["swy_a"]
    database.answers.set()
    await settled(callers)
    database.now += STALE_S
    assert await refused(callers) == 401


async def test_what_was_said_too_long_ago_is_not_said_again_while_the_database_hangs(
    callers: Callers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ofrep_callers, "PATIENCE_S", 0.01)
    await callers.of("swy_a")
    database.answers.clear()
    database.now += REMEMBERED_S + 1
    call = asyncio.ensure_future(callers.of("swy_a"))
    await asyncio.sleep(0.05)
    assert not call.done()
    del database.known["swy_a"]
    database.answers.set()
    with pytest.raises(OfrepRefused):
        await call


async def test_guesses_in_look_up_keep_no_good_token_out(
    callers: Callers, database: Database
) -> None:
    await callers.of("swy_a")
    database.now += STALE_S
    database.hangs_for = "swy_guess"
    database.answers.clear()
    calls = [asyncio.ensure_future(callers.of(f"swy_guess{n}")) for n in range(100)]
    await asyncio.sleep(0)
    asked = len(database.asked)
    assert (await callers.of("swy_a")).token == 1
    assert "swy_a" in database.asked[asked:]  # asked of, not only remembered
    database.answers.set()
    await asyncio.gather(*calls, return_exceptions=True)
    callers.close()


@pytest.mark.django_db
def test_an_owner_of_the_lowest_role_evaluates_still_and_one_that_is_off_does_not(
    people: dict[str, User],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In a thread of its own; here the connection is the test's.
    monkeypatch.setattr(ofrep_callers, "close_old_connections", lambda: None)
    owner = people["operator"]
    token, secret = create_token(owner, "service", "operator", scopes=["ofrep"])
    narrow, _ = create_token(owner, "narrow", "operator", scopes=["read"])
    owner.groups.clear()
    said = ofrep_callers.standing_of(secret)
    assert said == Standing(token=token.pk, may=True)
    assert ofrep_callers.still_good([token.pk, narrow.pk]) == {token.pk}
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert ofrep_callers.standing_of(secret) is None
    assert ofrep_callers.still_good([token.pk]) == set()


async def test_guesses_cost_one_question_each_and_push_out_nobody(
    callers: Callers, database: Database
) -> None:
    await callers.of("swy_a")
    for n in range(1_200):
        assert await refused(callers, f"swy_{n}") == 401
    assert await refused(callers, "swy_1199") == 401
    assert await refused(callers, "Bearer of no token") == 401
    assert len(database.asked) == 1_201
    assert len(callers._unknown) == 1_000
    await callers.of("swy_a")
    assert len(database.asked) == 1_201


async def test_a_flood_of_guesses_waits_in_no_queue(callers: Callers, database: Database) -> None:
    database.answers.clear()
    calls = [asyncio.ensure_future(callers.of(f"swy_{n}")) for n in range(100)]
    await asyncio.sleep(0)
    said = [call.exception() for call in calls if call.done()]
    assert {exc.status for exc in said if isinstance(exc, OfrepRefused)} == {503}
    assert len(said) == 36
    database.answers.set()
    await asyncio.gather(*calls, return_exceptions=True)
    callers.close()
