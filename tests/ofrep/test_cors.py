"""Pages of other origins: only those that were named may read, and never with cookies."""

from collections.abc import Callable

import pytest

from console.flags.ofrep.app import Ofrep
from console.flags.ofrep.cors import Cors
from tests.ofrep.conftest import BULK, ask

HERE, THERE = "https://app.example.com", "http://localhost:5173"


@pytest.fixture
def app(make: Callable[..., Ofrep]) -> Ofrep:
    return make(cors=Cors((HERE, THERE)))


def preflight(origin: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("origin", [HERE, THERE])
@pytest.mark.parametrize("path", [BULK, f"{BULK}/everywhere"])
async def test_a_named_origin_may_ask_and_read_the_etag(app: Ofrep, origin: str, path: str) -> None:
    call = await ask(app, path=path, method="OPTIONS", secret=None, headers=preflight(origin))
    assert call.status == 204
    assert call.answered["access-control-allow-origin"] == origin
    assert call.answered["access-control-allow-methods"] == "POST"
    allowed = call.answered["access-control-allow-headers"].split(", ")
    assert {"authorization", "x-api-key", "content-type", "if-none-match"} <= set(allowed)
    call = await ask(app, path=path, headers={"Origin": origin})
    assert call.status == 200
    assert call.answered["access-control-allow-origin"] == origin
    assert "etag" in call.answered["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in call.answered


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", f"{HERE}.evil.example", HERE.upper(), "null", "*", f"{HERE}/"],
)
async def test_no_other_origin_may(app: Ofrep, origin: str) -> None:
    call = await ask(app, method="OPTIONS", secret=None, headers=preflight(origin))
    assert call.status == 403
    answered = await ask(app, headers={"Origin": origin})
    for each in (call, answered):
        assert not [name for name in each.answered if name.startswith("access-control-")]
        assert each.answered["vary"] == "Origin"


async def test_a_refusal_can_be_read_too(app: Ofrep) -> None:
    call = await ask(app, secret=None, headers={"Origin": HERE})
    assert call.status == 401
    assert call.answered["access-control-allow-origin"] == HERE


async def test_without_named_origins_none_may(make: Callable[..., Ofrep]) -> None:
    call = await ask(make(), method="OPTIONS", secret=None, headers=preflight(HERE))
    assert call.status == 403
