"""A stack's eyes in one process: the real collector and all rules, by a clock of the test's."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.db import connection, connections
from django.utils import timezone

from monitoring import processes, snapshots
from monitoring.alerts.away import Away
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.evaluate import Evaluated, Evaluator
from monitoring.alerts.rules import Rule
from monitoring.collecting import Collector
from monitoring.models import Alert, Notification
from monitoring.processes import ProcessSnapshot
from tests.fleet import wait_until
from tests.made_up_fleet import a_worker
from tests.services import CLUSTER

# What rests on figures kept by Postgres' own clock knows nothing of a test's.
_BY_ITS_OWN_CLOCK = frozenset({"history.silent"})
_STEP_S = 5
BEAT = ProcessSnapshot(incarnation="rack-4:99:1", kind="beat", sequence=1, gauges=())


class Scene:
    """`thresholds` of rules: (warning, critical), where waiting for the real ones would be long."""

    def __init__(self, **thresholds: tuple[float, float | None]) -> None:
        self.now = timezone.now()
        self.elapsed = 0.0
        self.directly: list[str] = []
        away = Away(tell=self._tell, clock=lambda: self.elapsed, wall=self._wall)
        self.evaluator = Evaluator(
            "a test", rules=_rules(thresholds), deliver=lambda _: 0, away=away
        )
        self.collector = Collector("a test", queue="switchyard", clock=lambda: self.elapsed)

    def look(self, seconds: float = _STEP_S, *, collects: bool = True) -> Evaluated:
        """So many seconds later, all that a stack does every five. A worker and beat are well."""
        self.now += timedelta(seconds=seconds)
        self.elapsed += seconds
        with suppress(redis.RedisError):  # as a worker goes on that cannot tell
            snapshots.publish(a_worker(rss_bytes=1, breakers=(), pools=()))
            processes.publish(BEAT)
        try:
            if collects:
                self.collector.turn()
            return self.evaluator.turn(self.now)
        finally:
            connections.close_all()

    def until(self, rule: str, state: str, *, most: int = 40, seconds: float = _STEP_S) -> Alert:
        """The alert of a rule once it is in that state; it may take so many looks."""
        for _ in range(most):
            self.look(seconds)
            found = Alert.objects.filter(rule=rule, state=state).last()
            if found is not None:
                return found
        raise AssertionError(f"{rule} is not {state}: {list(Alert.objects.values())}")

    def told_once(self, rule: str) -> None:
        """Of one alert, one begin and one end, under a key each; and of nothing else."""
        alert = Alert.objects.get(rule=rule)
        told = list(Notification.objects.order_by("pk"))
        found = [(one["id"], one["what"]) for each in told for one in each.alerts]
        assert found in (
            [(alert.pk, "fired"), (alert.pk, "cleared")],
            [(alert.pk, "fired"), (alert.pk, "worse"), (alert.pk, "cleared")],
        ), [(one.key, one.what, one.alerts) for one in told]
        assert len({each.key for each in told}) == len(told)

    def _wall(self) -> float:
        return self.now.timestamp()

    def _tell(self, notification: Notification) -> Mapping[str, str]:
        self.directly.append(notification.key)
        return {}


def _rules(thresholds: Mapping[str, tuple[float, float | None]]) -> dict[str, Rule]:
    found = {key: rule for key, rule in RULES.items() if key not in _BY_ITS_OWN_CLOCK}
    for name, (warning, critical) in thresholds.items():
        key = name.replace("__", ".")
        found[key] = replace(found[key], warning=warning, critical=critical)
    return found


def session(name: str) -> psycopg.Connection[Any]:
    """One of the test's own database, outside Django's."""
    url = CLUSTER.postgres.url_of(str(connection.settings_dict["NAME"]))
    return psycopg.connect(url, application_name=name, autocommit=True)


def no_sooner(at: datetime, seconds: float) -> None:
    """Until so much of the server's own time is over: what it measures has no other clock."""
    ends_at = at + timedelta(seconds=seconds)
    wait_until(lambda: timezone.now() > ends_at, within_s=seconds + 5, what="time passes")


@contextmanager
def slowed(target: Path, listens: Path, delay_s: Callable[[], float]) -> Iterator[str]:
    """The address of a socket before `target`, whose answers come so much later."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listens))
        server.listen(64)
        threading.Thread(target=_accept, args=(server, target, delay_s), daemon=True).start()
        try:
            yield f"unix://{listens}"
        finally:
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, target: Path, delay_s: Callable[[], float]) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return  # nobody listens any more
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(str(target))
        for source, sink, wait_s in ((client, behind, float), (behind, client, delay_s)):
            threading.Thread(target=_pump, args=(source, sink, wait_s), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, wait_s: Callable[[], float]) -> None:
    try:
        while octets := source.recv(1 << 16):
            time.sleep(wait_s())
            sink.sendall(octets)
    except OSError:
        pass  # one of them has hung up
    finally:
        source.close()
        sink.close()
