"""A whole fleet behind PgBouncer: runs, controls, flags, pages, and nothing left in sessions."""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Count
from django.test import Client

from console.access.tokens import create_token
from console.embedded.cluster import Cluster
from console.pgbouncer import Mode
from monitoring import snapshots
from tests.fleet import Fleet, wait_until
from tests.pgbouncer.bouncer import Bouncer
from validation.devnode.chain import Chain
from validation.models import Chunk, Result, Run

WHY = "Proven behind a pooler, step by step"
PAGES = ("", "validations/", "breakers/", "pools/", "caches/", "workers/", "flags/", "audit/")
# Of a session's settings, those that PgBouncer gives each client back.
CARRIED = {"application_name", "client_encoding", "DateStyle", "TimeZone"}


class Console:
    """A web process, asked with a token, or as a person who is signed in."""

    def __init__(self, port: int, user: User) -> None:
        self._port = port
        _, secret = create_token(user, "pooled", "admin")
        self._token = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        browser = Client()
        browser.force_login(user)
        self._cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}

    def read(self, path: str) -> str:
        return self._ask("GET", f"/{path}", "", self._cookie)

    def refused(self, path: str) -> float:
        """Seconds until the page said to come again; nothing else would do."""
        began = time.monotonic()
        status, headers, _ = self._sent("GET", f"/{path}", "", self._cookie)
        assert (status, headers["retry-after"]) == (503, "2")
        return time.monotonic() - began

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        text = "" if body is None else json.dumps(body)
        said: dict[str, Any] = json.loads(self._ask(method, f"/api/v1/{path}", text, self._token))
        return said

    def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> str:
        status, _, text = self._sent(method, path, body, headers)
        assert status < 300, (method, path, status, text[:500])
        return text

    def _sent(
        self, method: str, path: str, body: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], str]:
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        with closing(link):
            link.request(method, path, body or None, headers)
            answer = link.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read().decode()


def _validate(console: Console, subjects: list[str]) -> Run:
    run = Run.objects.get(pk=console.call("POST", "runs", {"items": subjects, "level": 2})["id"])

    def is_done() -> bool:
        return bool(console.call("GET", f"runs/{run.pk}")["state"] == "done")

    wait_until(is_done, within_s=60, what="the run is done")
    return run


def _all_heed(says: Callable[[snapshots.WorkerSnapshot], bool], what: str) -> None:
    def heed() -> bool:
        workers = [each for each in snapshots.workers() or () if each.state == "up"]
        return len(workers) == 2 and all(map(says, workers))

    wait_until(heed, within_s=10, what=what)


def left_behind(bouncer: Bouncer) -> list[tuple[str, ...]]:
    """What sessions keep that their next client did not ask for."""
    found = []
    with bouncer.sessions() as held:
        for link in held:
            found += link.execute(_KEPT, (list(CARRIED),)).fetchall()
    return found


_KEPT = """
SELECT 'setting', name FROM pg_settings WHERE source = 'session' AND name <> ALL (%s)
UNION ALL SELECT 'prepared', name FROM pg_prepared_statements
UNION ALL SELECT 'cursor', name FROM pg_cursors WHERE name <> ''
UNION ALL SELECT 'channel', c FROM pg_listening_channels() c
UNION ALL SELECT 'lock', objid::text FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'table', relname FROM pg_class WHERE relpersistence = 't'
"""


def _works(console: Console, subjects: list[str], *, sharing: str) -> None:
    """A run with its results, an override, a flag and pages."""
    run = _validate(console, subjects)
    results = Result.objects.filter(run=run)
    assert list(results.values_list("verdict").annotate(Count("pk"))) == [("valid", len(subjects))]
    forced = {"mode": "forced_open", "for_s": 900, "reason": WHY, "confirm": "l2"}
    console.call("POST", "breakers/l2/override", forced)
    wait_until(
        lambda: console.call("GET", "breakers/l2")["acknowledged"] == 2,
        within_s=10,
        what="both workers acknowledge",
    )
    staged = {"stage": 100, "variant": sharing, "unrehearsed": True, "reason": WHY}
    console.call("POST", "flags/rpc.sharing/stage", staged)
    _all_heed(
        lambda told: {f.in_force for f in told.flags if f.key == "rpc.sharing"} == {sharing},
        f"rpc.sharing={sharing} is in force in both workers",
    )
    for page in (*PAGES, f"validations/{run.pk}/", f"validations/{run.pk}/results.csv"):
        assert console.read(page)
    assert WHY in console.read("audit/")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_fleet_works_by_transactions_and_by_sessions_and_leaves_nothing_in_them(
    bounce: Callable[..., Bouncer], services: Cluster
) -> None:
    # Nobody is turned away while a machine that stalls makes all wait for three connections.
    bouncer = bounce(pool=3, waits_s=60)
    chain = Chain.load()
    with Fleet(cluster=services, environment={"DATABASE_URL": bouncer.url}) as fleet:
        console = Console(fleet.start_web(), User.objects.create_superuser("ada"))
        _works(console, [f"tx:{value}" for value in chain.transactions[:200]], sharing="process")
        clients = [row for row in bouncer.show("CLIENTS") if row["database"]]
        assert len(clients) > len(bouncer.show("SERVERS"))
        assert left_behind(bouncer) == []
        log = fleet.log.read_text()
        # A worker may be there before its node is, and says so of that one.
        assert "database.unreachable" not in log
        assert "database_away" not in log

        bouncer.waits_s = 2
        bouncer.become(Mode.TRANSACTION, pool=3)
        with bouncer.sessions():
            assert console.refused("validations/") < 10
            assert console.read("livez")
        assert console.read("validations/")

        # A reload is all it takes; nobody is restarted.
        bouncer.become(Mode.SESSION, pool=24)
        _works(console, [f"block:{number}" for number in range(200)], sharing="off")
    assert left_behind(bouncer) == []
    assert Chunk.objects.exclude(state="done").count() == 0


def test_what_a_session_keeps_is_found(bounce: Callable[..., Bouncer]) -> None:
    bouncer = bounce(pool=2)
    with bouncer.connect() as link:
        link.execute("SET statement_timeout = '7s'")
        link.execute("PREPARE kept AS SELECT 1")
        link.execute("SELECT pg_advisory_lock(17)")
    found = {kind for kind, _ in left_behind(bouncer)}
    assert found == {"setting", "prepared", "lock"}
