"""The six faults on a real stack: each is seen on its page, alarms once, and is over by itself.

One stack, and all at once but for the loss of the cache, which would hide the others.
"""

import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.faults.pace import MOST_EXCUSED, Pace
from tests.faults.stack import Stack
from tests.fleet import wait_until
from tests.services import FOLDER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

# The command, its alert, the page where it is seen, and with which words there.
SEEN = {
    "pool-exhaustion": ("db.pool_used", "/pools/", r"[78] \+ \d / 8"),
    "replica-lag": ("replica.lag", "/database/", r"replica_1 Not in use"),
    "pgbouncer-mismatch": ("capacity.exceeded", "/capacity/", r"Broken Clients on PgBouncer"),
    "node-outage": ("node.down", "/nodes/", r"Unreachable"),
    "memory-growth": (
        "worker.memory",
        "/workers/",
        r"near its memory's limit: 1 of 1.* holds \d+ of \d+ MiB",
    ),
}
# From the beginning of the fault, on a machine that has room for it.
_SEEN_S, _FIRED_S = 15.0, 40.0
_FOR_S = 90
_OVER_S = 60


@pytest.fixture(scope="module")
def stack(pgbouncer: str) -> Iterator[Stack]:
    assert pgbouncer
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)
    settings = {"PGBOUNCER": "1", "REPLICAS": "1", "WORKERS": "1"}
    with Stack(var=folder / "var", settings=settings) as made:
        wait_until(lambda: not _quiet(made), within_s=60, what="nothing fires at first")
        yield made


def _quiet(stack: Stack) -> list[str]:
    """Rules of ours that are open."""
    rules = [rule for rule, _, _ in SEEN.values()]
    found = [alert for rule in (*rules, "cache.down") for alert in stack.alerts(rule)]
    return [alert["words"] for alert in found if alert["state"] != "cleared"]


def _fires(stack: Stack, rule: str) -> bool:
    return any(alert["state"] == "firing" for alert in stack.alerts(rule))


def _is_over(stack: Stack, rule: str) -> bool:
    return all(alert["state"] == "cleared" for alert in stack.alerts(rule))


def _told_once(stack: Stack, rule: str) -> None:
    """One alert a subject; told of its begin, of worse if it came to that, and of its end."""
    alerts = stack.alerts(rule)
    assert alerts, rule
    assert len({alert["subject"] for alert in alerts}) == len(alerts), alerts
    for alert in alerts:
        told = stack.told(alert["id"])
        assert told in (["fired", "cleared"], ["fired", "worse", "cleared"]), (alert, told)


def _begun(causing: Mapping[str, "subprocess.Popen[str]"]) -> dict[str, float]:
    """When each had begun, as it said itself."""
    began: dict[str, float] = {}

    def listen(name: str, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        while line := process.stdout.readline():
            if "It ends in" in line:
                began[name] = time.monotonic()
                return

    threads = [threading.Thread(target=listen, args=one) for one in causing.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert began.keys() == causing.keys()
    return began


def _seen(stack: Stack, began: Mapping[str, float]) -> dict[str, float]:
    """By how much each was later on its page than it may be; what never was is not there."""
    late: dict[str, float] = {}

    def all_seen(pace: Pace) -> bool:
        for name, (_, page, words) in SEEN.items():
            if name not in late and re.search(words, stack.page(page)):
                took_s = time.monotonic() - began[name]
                late[name] = took_s - _SEEN_S * pace.excused
                print(  # noqa: T201 - what a person wants to know, also where it passed
                    f"{name}: on {page} after {took_s:.1f} s, {pace.excused:.1f} times excused"
                )
        return late.keys() == SEEN.keys()

    with Pace() as pace:
        within_s = _SEEN_S * MOST_EXCUSED + 5
        wait_until(partial(all_seen, pace), within_s=within_s, what="each is on its page")
    return late


def test_five_at_once_are_each_seen_told_once_and_over(stack: Stack) -> None:
    causing = {name: stack.fault(name, _FOR_S) for name in SEEN}
    try:
        began = _begun(causing)
        seen = _seen(stack, began)
        assert not (late := {name: s for name, s in seen.items() if s > 0}), late
        for rule, _, _ in SEEN.values():
            left_s = max(1.0, max(began.values()) + _FIRED_S - time.monotonic())
            wait_until(partial(_fires, stack, rule), within_s=left_s, what=f"{rule} fires")
        assert "node.down" in stack.page("/alerts/")
    finally:
        for process in causing.values():
            process.send_signal(signal.SIGINT)
        said = {name: process.communicate(timeout=120)[0] for name, process in causing.items()}
    assert {name: text.splitlines()[-1] for name, text in said.items()} == dict.fromkeys(
        SEEN, "Interrupted; healed."
    )
    for rule, _, _ in SEEN.values():
        over = partial(_is_over, stack, rule)
        wait_until(over, within_s=_OVER_S, what=f"{rule} is over")
        _told_once(stack, rule)


def test_the_loss_of_the_cache_is_seen_told_once_and_over(stack: Stack) -> None:
    causing = stack.fault("cache-loss", 25)
    try:
        assert causing.stdout is not None
        while "It ends in" not in causing.stdout.readline():
            pass
        began = time.monotonic()

        def is_seen() -> bool:
            return "Valkey unreachable" in stack.page("/caches/")

        with Pace() as pace:
            wait_until(is_seen, within_s=_SEEN_S * MOST_EXCUSED, what="the page says so")
            assert time.monotonic() - began <= _SEEN_S * pace.excused
        wait_until(lambda: _fires(stack, "cache.down"), within_s=_FIRED_S, what="cache.down fires")
    finally:
        assert causing.communicate(timeout=60)[0].splitlines()[-1] == "Healed."
    wait_until(lambda: _is_over(stack, "cache.down"), within_s=_OVER_S, what="it is over")
    _told_once(stack, "cache.down")
