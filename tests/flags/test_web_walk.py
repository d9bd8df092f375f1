"""Each flag of the web process, switched in a real one: it shows within a second, and goes back."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from console.access.tokens import create_token
from console.embedded.cluster import Cluster
from console.flags import acts
from console.flags.catalogue import CATALOGUE, Definition
from console.postgres.steering import sizes_of
from monitoring import valkey
from tests.api.conftest import finished_run  # noqa: F401 - a fixture, found by name
from tests.flags.made import WHY, actor
from tests.services import ROOT, process_environment
from validation.models import Run

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
_SOON_S = 1.0
_PAGE = "/sign-in/"
_POOLED = "switchyard web"


class Web:
    """One uvicorn, as deployed, and what it answers and logs."""

    def __init__(self, cluster: Cluster, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._log = log
        name = connection.settings_dict["NAME"]
        url = cluster.dsn.replace("/postgres?", f"/{name}?").replace("/switchyard?", f"/{name}?")
        command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port"]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, str(self.port), "--no-access-log", "--no-proxy-headers"],
                env=process_environment(cluster) | {"DATABASE_URL": url, "TRUSTED_PROXIES": ""},
                cwd=ROOT,
                stderr=file,
                stdout=file,
            )

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> dict[str, str]:
        """The headers of the answer, and the length of what came as `came`."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(link):
            link.request(method, path, body or None, headers)
            answer = link.getresponse()
            came = len(answer.read())
            assert answer.status < 400, (path, answer.status)
            return {k.lower(): v for k, v in answer.getheaders()} | {"came": str(came)}

    def listening(self) -> None:
        until(self._answers, 60, "the web process answers")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with contextlib.suppress(OSError):
            return bool(self.ask("/livez"))
        return False

    def logged(self) -> int:
        return self._log.read_text().count("http.request")

    def steered(self, field: str) -> str:
        """How the pool was last told to be."""
        lines = [line for line in self._log.read_text().splitlines() if "pool_steered" in line]
        return re.findall(rf"{field}=(\S+)", lines[-1])[0] if lines else ""

    def routed(self) -> str:
        """How reads were last told to go."""
        found = re.findall(r"reads_routed.*routing=(\S+)", self._log.read_text())
        return str(found[-1]) if found else ""

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(15)


def until(shows: Callable[[], bool], within_s: float, what: str) -> float:
    """Seconds until it began to show."""
    began = time.monotonic()
    while True:
        looked = time.monotonic()
        if shows():
            return looked - began
        assert looked - began < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def web(services: Cluster, tmp_path: Path, transactional_db: None) -> Iterator[Web]:
    started = Web(services, tmp_path / "web.log")
    try:
        started.listening()
        yield started
    finally:
        started.close()


class Effects:
    """Whether a variant shows in what the process does, by key."""

    def __init__(self, web: Web, run: Run, secret: str) -> None:
        self._web = web
        self._bearer = {"Authorization": f"Bearer {secret}"}
        self._results = f"/api/v1/runs/{run.pk}/results"
        self._quota_counted = _counted()
        self._page_bytes = int(web.ask(_PAGE)["came"])
        assert 1024 <= self._page_bytes < 5120, "choose another page: the thresholds lie around it"
        self.of: dict[str, Callable[[str], bool]] = {
            "web.compression": self._compression,
            "web.compression_threshold": self._threshold,
            "exports.streaming": self._export,
            "logging.requests": self._log,
            "api.quotas": self._quota,
            "db.pool_formula": self._pool,
            "db.statement_timeout": self._statements,
            "db.replica_routing": self._routing,
        }

    def _encoding(self) -> str:
        return self._web.ask(_PAGE, **{"Accept-Encoding": "gzip, br"}).get("content-encoding", "")

    def _compression(self, variant: str) -> bool:
        return self._encoding() == {"none": "", "gzip": "gzip", "brotli": "br"}[variant]

    def _threshold(self, variant: str) -> bool:
        return (self._encoding() == "br") is (self._page_bytes >= int(variant))

    def _export(self, variant: str) -> bool:
        answer = self._web.ask(self._results, **self._bearer)
        assert int(answer["came"]) > 64 * 1024, "short ones go out whole either way"
        return ("content-length" in answer) is (variant == "buffered")

    def _log(self, variant: str) -> bool:
        before = self._web.logged()
        asked, wanted = {"all": (5, 5), "sampled": (100, 1), "failures": (100, 0)}[variant]
        for _ in range(asked):
            self._web.ask(_PAGE)
            if self._web.logged() - before > wanted:
                return False
        return self._web.logged() - before == wanted

    def _pool(self, variant: str) -> bool:
        """Its least is open at once; what is open already is given back later."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database() AND application_name = %s",
                [_POOLED],
            )
            opened = cursor.fetchone()[0]
        return self._web.steered("formula") == variant and opened >= sizes_of(variant).least

    def _statements(self, variant: str) -> bool:
        """tests/database sees Postgres end what takes longer."""
        return self._web.steered("statement_ms") == variant

    def _routing(self, variant: str) -> bool:
        """tests/replicas sees where reads go."""
        return self._web.routed() == variant

    def _quota(self, variant: str) -> bool:
        for _ in range(3):
            body = json.dumps({"context": {}})
            self._web.ask("/ofrep/v1/evaluate/flags/rpc.retry", "POST", body, **self._bearer)
        # A lease is drawn behind the answer: one that came after the last look counts in this one.
        before, self._quota_counted = self._quota_counted, _counted()
        counted = self._quota_counted - before
        # By leases many at once, or none while those of the last lease are not used up.
        return {"process": counted == 0, "shared": counted == 3, "leased": counted > 3}[variant]


def _counted() -> int:
    client = valkey.client()
    return sum(int(client.get(key) or 0) for key in client.scan_iter("*switchyard:quota*"))


def test_each_flag_of_the_web_process_shows_within_a_second_and_goes_back(
    web: Web,
    finished_run: Callable[..., Run],  # noqa: F811 - the fixture
) -> None:
    user = User.objects.create_superuser("ada")
    _, secret = create_token(user, "walk", "admin")
    effects = Effects(web, finished_run(600), secret)
    wired = [each for each in CATALOGUE if each.wired and each.fleet in {"web", "all"}]
    assert {each.key for each in wired} == effects.of.keys(), "each flag has an effect of its own"
    slow: dict[tuple[str, str], float] = {}
    for definition in wired:
        rounds: list[dict[str, float]] = []
        # What shows late does so each time; a machine that stalls, now and then: the best counts.
        while len(rounds) < 3 and (not rounds or _slow(rounds)):
            rounds.append(_walk(definition, effects.of[definition.key]))
        slow |= {(definition.key, variant): s for variant, s in _slow(rounds).items()}
    assert slow == {}


def _walk(definition: Definition, shows: Callable[[str], bool]) -> dict[str, float]:
    """To every other variant and back; seconds until each showed."""
    took_s = {}
    others = [name for name in definition.variants if name != definition.ships]
    for variant in (*others, definition.ships):
        switched: Any = {
            "target": variant,
            "stage": 100,
            "rest": definition.baseline,
            "unrehearsed": True,
        }
        acts.set_stage(actor("admin"), definition.key, **switched, reason=WHY)
        what = f"{definition.key}={variant} shows"
        took_s[variant] = until(partial(shows, variant), 10, what)
    return took_s


def _slow(rounds: list[dict[str, float]]) -> dict[str, float]:
    best = {variant: min(each[variant] for each in rounds) for variant in rounds[0]}
    return {variant: took_s for variant, took_s in best.items() if took_s >= _SOON_S}
