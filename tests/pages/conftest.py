"""People of each role, validations in every state, and a parser that finds what pages hold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from monitoring import snapshots, valkey
from tests.records import check_fields
from validation.models import VERDICTS, Chunk, ChunkState, Item, Result, Run, RunState

Mix = dict[str, tuple[str, int]]


@dataclass
class Page(HTMLParser):
    """What a rendered page holds: its tags with their attributes, and its text."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def hrefs(self) -> set[str]:
        return {href for attrs in self.all("a") if (href := attrs.get("href"))}

    def ids(self) -> list[str]:
        return [found for _, attrs in self.tags if (found := attrs.get("id"))]


def keep_point(name: str, at: datetime, value: float, *, counter: bool = False) -> None:
    """One point of the history, as the collector keeps it each ten seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitoring_series (name, counter) VALUES (%s, %s)"
            " ON CONFLICT (name) DO NOTHING",
            [name, counter],
        )
        cursor.execute(
            "INSERT INTO monitoring_point_10s (at, series, value)"
            " SELECT %s, id, %s FROM monitoring_series WHERE name = %s",
            [at, value, name],
        )


@pytest.fixture(scope="session", autouse=True)
def static_root() -> None:
    """WhiteNoise warns of a missing folder, and warnings are errors here."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def no_workers() -> Iterator[None]:
    """Each test starts and ends with a fleet of nobody."""
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


@pytest.fixture
def people(db: None) -> dict[str, User]:
    made = {}
    for role in ("viewer", "operator", "admin"):
        made[role] = User.objects.create_user(f"the-{role}")
        made[role].groups.add(Group.objects.get(name=role))
    return made


@pytest.fixture
def clients(people: dict[str, User]) -> dict[str, Client]:
    found = {}
    for role, user in people.items():
        found[role] = Client()
        found[role].force_login(user)
    return found


@pytest.fixture
def operator(clients: dict[str, Client]) -> Client:
    return clients["operator"]


@pytest.fixture
def viewer(clients: dict[str, Client]) -> Client:
    return clients["viewer"]


@pytest.fixture
def admin(clients: dict[str, Client]) -> Client:
    return clients["admin"]


@pytest.fixture
def see() -> Callable[..., Page]:
    """The page at an address, which must answer with `status`."""

    def look(client: Client, url: str, status: int = 200, **headers: str) -> Page:
        response = client.get(url, headers=headers)
        assert response.status_code == status, response.content[:2_000]
        return Page(response.content.decode())

    return look


@pytest.fixture
def made_run(people: dict[str, User]) -> Callable[..., Run]:
    """A run of blocks whose first items have results as `mix` says: verdict -> (reason, count)."""

    def make(
        total: int = 10, *, state: str = RunState.DONE, mix: Mix | None = None, **more: object
    ) -> Run:
        now = timezone.now()
        ended = state in {RunState.DONE, RunState.CANCELLED}
        values = {
            "title": "Some blocks",
            "origin": "page",
            "created_by": people["operator"],
            "started_at": now - timedelta(seconds=30),
            "finished_at": now if ended else None,
        }
        run = Run.objects.create(state=state, total=total, **(values | more))
        subjects = [f"block:{n}" for n in range(total)]
        Item.objects.bulk_create(
            Item(run_id=run.pk, ordinal=n, subject=subject) for n, subject in enumerate(subjects)
        )
        outcomes = [
            (verdict, reason)
            for verdict, (reason, count) in (mix or {}).items()
            for _ in range(count)
        ]
        Result.objects.bulk_create(
            _result(run, n, subjects[n], verdict, reason)
            for n, (verdict, reason) in enumerate(outcomes)
        )
        counts = {v: sum(1 for verdict, _ in outcomes if verdict == v) for v in VERDICTS}
        if outcomes:
            Chunk.objects.create(
                run=run, first=0, size=len(outcomes), state=ChunkState.DONE, closed_at=now, **counts
            )
        if (left := total - len(outcomes)) and state == RunState.RUNNING:
            Chunk.objects.create(run=run, first=len(outcomes), size=left)
        return run

    return make


def _result(run: Run, ordinal: int, subject: str, verdict: str, reason: str) -> Result:
    status = {"valid": "pass", "invalid": "fail"}.get(verdict, "skip")
    return Result(
        run_id=run.pk,
        ordinal=ordinal,
        subject=subject,
        verdict=verdict,
        level=2 if verdict == "valid" else 1,
        reason=reason,
        node="node.example:8545",
        ms=12.5,
        **check_fields([{"name": "header_hash", "status": status, "detail": "computed <0xab>"}]),
    )


@pytest.fixture
def worker_reports() -> Callable[..., None]:
    """A worker process says of itself what the test wants."""

    def report(**values: object) -> None:
        said = {
            "id": "rack-4:4711",
            "host": "rack-4",
            "pid": 4711,
            "started_at": timezone.now().timestamp() - 90,
            "busy": False,
            "run": None,
            "items_done": 12_345,
            "chunks_done": 40,
            "rate": 1_540.0,
            "rss_bytes": 84_300_000,
            "node": {"in_flight": 7, "requests": 901},
        }
        snapshots.publish(snapshots.WorkerSnapshot(**(said | values)))  # type: ignore[arg-type]

    return report
