import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from console import health
from console.health import Readiness, Readyz, livez, readiness
from tests.web.conftest import Call

type Probe = Callable[[], Awaitable[None]]


async def fine() -> None:
    pass


async def refused() -> None:
    raise psycopg.OperationalError("connection to postgresql://u:canary@db refused")


async def hangs() -> None:
    await asyncio.Event().wait()


async def ask(query: str = "", **probes: Probe) -> Call:
    return await Call("/readyz", query=query).to(Readyz(Readiness(dict(probes))))


async def test_alive_depends_on_nothing() -> None:
    call = await Call("/livez").to(livez)
    assert (call.status, call.text) == (200, "ok\n")
    assert (await Call("/livez", "POST").to(livez)).status == 405


async def test_ready_when_everything_answers() -> None:
    call = await ask("verbose", postgres=fine, cache=fine)
    assert call.status == 200
    assert call.text.startswith("ok\npostgres: ok (")


async def test_not_ready_says_what_is_away_and_no_secret() -> None:
    call = await ask("verbose", postgres=refused, cache=fine)
    assert call.status == 503
    assert call.answered["retry-after"]
    assert "postgres: refused" in call.text
    assert "cache: ok" in call.text
    assert "canary" not in call.text
    assert (await ask(postgres=refused)).text == "not ready\n"


async def test_what_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_TIMEOUT_S", 0.01)
    call = await ask("verbose", postgres=hangs, cache=hangs)
    assert call.text.count("no answer within 0.01 s") == 2


async def test_many_who_ask_cost_one_question() -> None:
    asked = 0

    async def counted() -> None:
        nonlocal asked
        asked += 1

    state = Readiness({"postgres": counted}, clock=lambda: 0.0)
    await asyncio.gather(*(state.report() for _ in range(100)))
    assert asked == 1


async def test_the_real_servers_are_found(services: object) -> None:
    report = await readiness().report()
    assert set(report) == {"postgres", "cache", "broker"}
    assert all(text.startswith("ok") for text in report.values()), report
