"""Requests are logged as the flag says, by route and never by address."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import structlog

from console.bridge import BridgeConfig, WsgiBridge
from console.handler import ROUTE
from console.request_log import REQUEST_LOGS, RequestLog, Sampled
from tests.web.conftest import Call

NOTED = [("GET", "run", 200, 0.1), ("POST", "runs", 500, 0.1), ("GET", "run", 200, 1.5)]


def lines(log: RequestLog, times: int = 1) -> list[Any]:
    with structlog.testing.capture_logs() as found:
        for _ in range(times):
            for one in NOTED:
                log.note(*one)
    return found


@pytest.mark.parametrize(
    ("variant", "statuses"), [("all", [200, 500, 200]), ("failures", [500, 200])]
)
def test_all_or_what_failed_or_was_slow(variant: str, statuses: list[int]) -> None:
    found = lines(REQUEST_LOGS[variant])
    assert [line["status"] for line in found] == statuses
    assert found[-1] | {"log_level": ""} == {
        "event": "http.request", "log_level": "", "method": "GET", "route": "run", "status": 200,
        "ms": 1500.0,
    }  # fmt: skip


def test_refusals_are_no_failures() -> None:
    with structlog.testing.capture_logs() as found:
        REQUEST_LOGS["failures"].note("GET", "none", 404, 0.01)
    assert found == []


def test_one_in_a_hundred_says_how_many_it_stands_for() -> None:
    found = lines(Sampled(), times=100)
    assert [line["one_in"] for line in found] == [100, 100, 100]


async def test_a_line_never_bears_a_query_an_address_or_a_number_of_a_page() -> None:
    def app(environ: dict[str, Any], start: Callable[..., None]) -> Iterable[bytes]:
        environ[ROUTE] = "run"
        start("200 OK", [])
        return [b"page"]

    bridge = WsgiBridge(app, BridgeConfig(request_log=lambda: REQUEST_LOGS["all"]))
    with structlog.testing.capture_logs() as found:
        await Call("/validations/4711/", query="secret=hunter2").to(bridge)
    bridge.close()
    assert [line["route"] for line in found] == ["run"]
    for hidden in ("4711", "hunter2", "192.0.2.9"):
        assert hidden not in str(found)
