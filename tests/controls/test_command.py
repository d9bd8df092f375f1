"""`manage.py breaker`, as an operator types it at three in the morning."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from console import controls
from console.access.models import AuditEntry
from console.management import acting
from console.spans import Unreadable, seconds_of
from monitoring import snapshots
from monitoring.snapshots import CacheReport
from tests.controls.conftest import L2, WHY, actor, report, silent_for, worker
from validation.models import Control

pytestmark = pytest.mark.django_db
type Publish = Callable[..., None]
FORCE = (L2, "open", "--for", "15m", "--reason", WHY)


class Waiting:
    """Time that passes only where the command waits; `then` happens while it does."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.then()


@pytest.fixture(autouse=True)
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    time_ = Waiting()
    monkeypatch.setattr(acting.ActingCommand, "clock", staticmethod(time_.clock))
    monkeypatch.setattr(acting.ActingCommand, "wait", staticmethod(time_.wait))
    yield time_
    assert time_.now <= acting.WAIT_S + 0.2


def run(*arguments: str, command: str = "breaker") -> tuple[int, str]:
    """The exit code, and what was said to both streams."""
    said = StringIO()
    try:
        call_command(command, *arguments, stdout=said, stderr=said)
    except CommandError as refused:
        return refused.returncode, f"{said.getvalue()}{refused}"
    except SystemExit as ended:
        return int(ended.code or 0), said.getvalue()
    raise AssertionError("it ended without a word")


def test_forcing_open_waits_until_every_worker_says_so(publish: Publish, waiting: Waiting) -> None:
    publish(worker(1, acknowledged=0), worker(2, acknowledged=0))
    waiting.then = lambda: publish(worker(1, acknowledged=1), worker(2, acknowledged=1))
    status, said = run(*FORCE)
    assert status == 0
    assert waiting.now == pytest.approx(0.1)
    assert "l2: forced open for 15\u202fmin" in said
    assert "acknowledged by 2 of 2 workers" in said
    order = controls.desired("breaker", L2)
    assert (order.mode, order.reason) == ("forced_open", WHY)
    entry = AuditEntry.objects.get()
    assert (entry.origin, entry.role, entry.action) == ("cli", "admin", "forced_open")
    assert "@" in entry.actor


def test_a_worker_that_does_not_answer_is_said(publish: Publish, waiting: Waiting) -> None:
    publish(worker(1, acknowledged=1), worker(2, acknowledged=0))
    status, said = run(*FORCE)
    assert (status, "acknowledged by 1 of 2 workers" in said) == (1, True)
    assert waiting.now >= acting.WAIT_S
    assert Control.objects.get().mode == "forced_open"


def test_without_workers_it_is_written_for_those_that_come() -> None:
    status, said = run(*FORCE)
    assert (status, "no worker is up" in said) == (0, True)


def test_a_cache_server_that_is_down_loses_nothing(no_valkey: None) -> None:
    status, said = run(*FORCE)
    assert (status, "It is written" in said) == (1, True)
    assert controls.desired("breaker", L2).mode == "forced_open"


@pytest.mark.parametrize(("act", "mode"), [("close", "forced_closed"), ("auto", "")])
def test_the_other_acts(act: str, mode: str) -> None:
    run(*FORCE)
    assert run(L2, act, "--reason", WHY)[0] == 0
    assert controls.desired("breaker", L2).mode == mode


def test_a_reset_is_done_once_and_leaves_the_rest() -> None:
    run(*FORCE)
    status, said = run(L2, "reset", "--reason", WHY)
    assert (status, "no worker is up" in said) == (0, True)
    order = controls.desired("breaker", L2)
    assert (order.mode, order.reset_revision) == ("forced_open", order.revision)


def test_thresholds_are_tuned_for_a_time_or_to_last() -> None:
    status, said = run(L2, "tune", "failure_rate=0.3", "min_calls=20", "--for", "1h")
    assert (status, "failure_rate 0.3, min_calls 20" in said) == (0, True)
    order = controls.desired("breaker", L2)
    assert (order.tuned, order.lasting) == ({"failure_rate": 0.3, "min_calls": 20}, {})
    assert order.tuned_for_s == pytest.approx(3600, abs=60)
    assert run(L2, "tune", "min_calls=40", "--lasting")[0] == 0
    order = controls.desired("breaker", L2)
    assert (order.tuned, order.lasting) == ({"failure_rate": 0.3}, {"min_calls": 40})


def test_a_purge_waits_until_every_worker_has_dropped_it(
    publish: Publish, waiting: Waiting
) -> None:
    publish(worker(1, acknowledged=0))
    waiting.then = lambda: publish(worker(1, acknowledged=1))
    status, said = run("purge", "head", "--reason", WHY, command="cache")
    assert (status, "acknowledged by 1 of 1 worker" in said) == (0, True)
    assert Control.objects.get().name == "head"
    assert AuditEntry.objects.get().origin == "cli"


def test_l1_is_resized_and_what_does_not_hear_is_said(publish: Publish) -> None:
    publish(worker(1, acknowledged=0))
    sizes = ("max_entries=50000", "max_bytes=8388608")
    status, said = run("resize", *sizes, "--for", "1h", command="cache")
    assert (status, "acknowledged by 0 of 1 worker" in said) == (1, True)
    assert controls.desired("l1", "").tuned == {"max_entries": 50_000, "max_bytes": 2**23}


def test_both_tiers_are_shown_for_each_worker(publish: Publish) -> None:
    kinds = {"tx": {"l1": 6, "l2": 2, "stale": 0, "negative": 0, "miss": 2}}
    there = CacheReport(
        policy="s3fifo", entries=120, bytes=2**20, max_entries=1000, max_bytes=2**24, kinds=kinds,
        l2_reachable=False,
    )  # fmt: skip
    publish(worker(1, cache=there, acknowledged=1), worker(2))
    controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY)
    status, said = run(command="cache")
    assert status == 0
    assert "desired: max_entries 500 until " in said
    assert "; acknowledged by 1 of 2" in said
    assert "host:1: L1 s3fifo, 120 of 1000 entries" in said
    assert "L2 unreachable; answered by L1 60%, by L2 20%" in said
    assert "host:2: no data of a cache" in said


def test_the_caches_without_the_cache_server(no_valkey: None) -> None:
    status, said = run(command="cache")
    assert (status, "the cache server does not answer" in said) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("purge",), "Give one tag"),
        (("purge", "head", "tx"), "Give one tag"),
        (("purge", "everything"), "tag 'everything' is not one of all"),
        (("purge", "head", "--for", "5m"), "purge has no end"),
        (("resize", "max_entries=1"), "max_entries 1.0 is not a whole number from 16"),
        (("resize", "max_entries"), "'max_entries' sets nothing"),
        (("resize", "max_bytes=x"), "max_bytes: 'x' is no number"),
        (("resize", "colour=3"), "settings 'colour' is not one of max_entries, max_bytes"),
        (("resize", "max_entries=50", "--for", "1h", "--lasting"), "not both"),
    ],
)
def test_what_a_cache_cannot_do_is_said_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    status, said = run(*arguments, command="cache")
    assert (status, says in said) == (2, True), said
    assert "\n" not in said.strip()
    assert not AuditEntry.objects.exists()


def test_a_reason_that_is_not_given_is_said_to_be_none() -> None:
    run(L2, "open")
    assert AuditEntry.objects.get().reason == "Overridden at a terminal"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nope", "open"), "There is no breaker 'nope': did you mean"),
        (("nope",), "There is no breaker 'nope'"),
        ((L2, "open", "--for", "soon"), "'soon' is no span of time: type 90s, 15m or 2h."),
        ((L2, "open", "--for", "25h"), "--for 90000.0 is not a number of seconds from 5 to 86400"),
        ((L2, "open", "--reason", "because"), "--reason 'because' is not a reason of 10 to 500"),
        ((L2, "auto", "--for", "5m"), "auto has no end"),
        ((L2, "reset", "--lasting"), "reset has no end"),
        ((L2, "open", "--lasting"), "give --for, not --lasting"),
        ((L2, "open", "min_calls=3"), "Only tune takes thresholds"),
        ((L2, "tune", "min_calls=2.5"), "min_calls 2.5 is not a whole number from 1"),
        ((L2, "tune", "min_calls=nan"), "min_calls nan is not a whole number"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    status, said = run(*arguments)
    assert (status, says in said) == (2, True)
    assert "\n" not in said.strip()
    assert not Control.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_act_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'explode'"):
        call_command("breaker", L2, "explode")


def test_a_breaker_is_shown_on_every_worker(publish: Publish) -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, confirm=L2)
    there = report(state="forced_open", computed="closed", calls=40, failures=10, failure_rate=0.25)
    publish(worker(1, breakers=(there,), acknowledged=1), worker(2, breakers=(report(),)))
    silent_for(2, 20)
    status, said = run(L2)
    assert status == 0
    assert "l2: forced open on 1 of 2 workers" in said
    assert "desired: forced open for" in said
    assert f"ada: {WHY}" in said
    assert "acknowledged by 1 of 2" in said
    assert "host:1: forced open (by itself closed), failures 25% of 40 calls, acknowledged" in said
    assert "host:2: closed, failures no data of 0 calls, not acknowledged; heard 20" in said
    assert "stale" in said


def test_without_a_name_all_are_listed(publish: Publish) -> None:
    publish(worker(1, breakers=(report(),)))
    status, said = run()
    assert status == 0
    assert "l2: closed on 1 of 1 worker" in said
    assert "node:127.0.0.1:9:block: no data" in said
    assert "host:1" not in said


def test_shown_without_the_cache_server_it_says_what_is_wanted(no_valkey: None) -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, confirm=L2)
    status, said = run(L2)
    assert (status, "l2: no data" in said, "desired: forced open" in said) == (1, True, True)
    assert "the cache server does not answer" in said


def test_a_worker_that_stopped_in_order_is_not_waited_for(publish: Publish) -> None:
    publish(worker(1, acknowledged=1), worker(2, acknowledged=0))
    snapshots.retire("host:2")
    assert "acknowledged by 1 of 1 worker" in run(*FORCE)[1]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("1.5 H", 5_400)]
)
def test_spans_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "1e3", "5 weeks", "nan", "٣m"])
def test_what_is_no_span_of_time(text: str) -> None:
    with pytest.raises(Unreadable):
        seconds_of(text)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
         "The database does not answer; nothing was changed"),
        ({}, "No database is configured: set DATABASE_URL"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("arguments", [("breaker", L2, "open"), ("breaker",), ("cache",)])
def test_no_traceback_reaches_a_terminal_without_a_database(
    address: dict[str, str], says: str, arguments: tuple[str, ...]
) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={"DEVELOPMENT": "1", "SECRET_KEY": "x" * 50, "PATH": "", **address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "Traceback" not in ended.stderr
    assert time.monotonic() - began < 60
