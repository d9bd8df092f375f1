"""The controller dies at any statement, two lead at once, clocks lie: nothing is half done."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from django.db import Error, connection, connections, transaction

from console.access.models import AuditEntry
from console.flags.models import Flag
from console.rollouts import controller, looking
from console.rollouts.models import Rollout, RolloutStep
from tests.fleet import wait_until
from tests.rollouts.bench import FLAG, Bench, started
from tests.services import ROOT


class Killed(BaseException):
    """As a process's end: nothing catches it."""


def whole(bench: Bench) -> tuple[Any, ...]:
    """What a step writes; all of it, or none."""
    row = Rollout.objects.values().get(pk=bench.pk)
    return (
        tuple(sorted((name, str(value)) for name, value in row.items())),
        Flag.objects.values_list("stage", "revision").get(pk=FLAG),
        RolloutStep.objects.count(),
        AuditEntry.objects.count(),
    )


def killed_at(number: int) -> Callable[..., Any]:
    """Ends with the statement of that number."""
    done = 0

    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal done
        done += 1
        if done == number:
            raise Killed
        return run(sql, params, many, context)

    return execute


def dies_everywhere(bench: Bench, decision: str) -> int:
    """One turn, killed at its first statement, at its second, … until it comes through."""
    told = bench.fleet.work()
    for number in range(1, 200):
        before = whole(bench)
        try:
            with transaction.atomic(), ExitStack() as stack:
                stack.enter_context(connection.execute_wrapper(killed_at(number)))
                made = controller.turn(lambda: told, now=bench.now)
        except Killed:
            assert whole(bench) == before
        else:
            assert [one.decision for one in made] == [decision]
            return number
    raise AssertionError("it never came through")


@pytest.mark.django_db
def test_killed_at_each_statement_of_a_promotion_and_of_a_rollback() -> None:
    bench = Bench(started(bake_s=12))
    assert dies_everywhere(bench, "advance") > 10
    assert bench.flag.stage == 5
    bench.tick(9)
    bench.fleet.slow, bench.fleet.share = 3.0, 5
    while bench.row.state == "running":
        told = bench.fleet.work()
        if controller.turn(lambda told=told: told, now=bench.now)[0].decision == "roll_back":  # type: ignore[misc]
            break
    assert (bench.flag.stage, bench.row.state) == (0, "rolled_back")


@pytest.mark.django_db
def test_another_leader_goes_on_from_what_was_seen() -> None:
    """All that a decision rests on is in the row: the one who takes over has nothing else."""
    bench = Bench(started(bake_s=60))
    bench.tick(12)
    bench.fleet.slow = 1.5
    bench.tick(5)
    other = Bench(bench.row, bench.fleet)
    assert other.tick(4) == ["roll_back"]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_decide_once() -> None:
    bench = Bench(started(stages=[5, 100]))
    told, now, found = bench.fleet.work(), bench.now, []
    together = threading.Barrier(2)

    def lead() -> None:
        together.wait(10)
        try:
            found.extend(controller.turn(lambda: told, now=now))
        finally:
            connections.close_all()

    leaders = [threading.Thread(target=lead) for _ in range(2)]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join(30)
    assert [one.decision for one in found].count("advance") == 1
    assert bench.log == [("start", 0), ("advance", 5)]


@pytest.mark.django_db(transaction=True)
def test_one_who_hangs_in_its_step_is_thrown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres ends its session, and with it the lock: the others wait no longer than that."""
    bench = Bench(started(stages=[5, 20, 100]))
    before, hung, found = idle_for(), list[str](), list[Any]()
    real = looking.look

    def hangs(row: Any, told: Any, *asked: Any, **more: Any) -> Any:
        if not hung:
            hung.append(idle_for())
            other = threading.Thread(target=another, args=(told,), daemon=True)
            other.start()
            other.join(60)
            with pytest.raises(Error, match="idle-in-transaction") as ended:
                idle_for()
            raise ended.value
        return real(row, told, *asked, **more)

    def another(told: Any) -> None:
        def leads() -> bool:
            found.extend(controller.turn(lambda: told, now=bench.now, me="web:2"))
            return bool(found)

        try:
            wait_until(leads, within_s=30, what="it has the lock")
        finally:
            connections.close_all()

    monkeypatch.setattr(looking, "look", hangs)
    assert bench.tick() == []
    assert (hung, [one.decision for one in found]) == (["3s"], ["advance"])
    assert bench.log == [("start", 0), ("advance", 5)]
    # Of a step alone: whoever gets the connection next has its own.
    bench.tick()
    assert idle_for() == before != "3s"


def idle_for() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])


_DIES = """
import os, signal
import django
django.setup()
from console.rollouts import controller, writing
from monitoring import arms
import msgspec, sys

told = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[arms.Told, ...])
writing.RolloutStep.objects.create = lambda **_: os.kill(os.getpid(), signal.SIGKILL)
controller.turn(lambda: told)
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_in_the_middle_leaves_nothing_and_the_next_does_it() -> None:
    bench = Bench(started(stages=[5, 100]))
    before = whole(bench)
    told = msgspec.msgpack.encode(bench.fleet.work())
    url = urlsplit(os.environ["DATABASE_URL"])
    there = url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    done = subprocess.run(
        [sys.executable, "-c", _DIES],
        cwd=ROOT, input=told, env=os.environ | {"DATABASE_URL": there}, check=False, timeout=60,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert whole(bench) == before
    assert bench.tick() == ["advance"]


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [-10, 10])
def test_hosts_whose_clocks_are_ten_minutes_off_change_nothing(minutes: int) -> None:
    """`started_at` is a host's word; ages are by the cache server's, all else by Postgres'."""
    bench = Bench(started(bake_s=20, stages=[5, 100]))
    off_s = timedelta(minutes=minutes).total_seconds()
    real = bench.fleet.told

    def told(*, age_s: float = 0.3) -> Any:
        return tuple(
            msgspec.structs.replace(
                one,
                arms=msgspec.structs.replace(one.arms, started_at=one.arms.started_at + off_s),
            )
            if one.arms.process.endswith(("0", "1"))
            else one
            for one in real(age_s=age_s)
        )

    bench.fleet.told = told  # type: ignore[method-assign]
    assert bench.tick(32) == ["advance", "done"], bench.row.why
