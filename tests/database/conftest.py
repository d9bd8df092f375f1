"""A real web process over servers of its own, which a test may kill, and a session in it."""

import contextlib
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.hashers import make_password

from console.embedded.cluster import Cluster
from console.embedded.postgres import FAST
from tests.fleet import free_port, wait_until
from tests.migrated import migrate
from tests.services import FOLDER, ROOT, process_environment

PASSWORD = "a-long-word-for-tests"
POOL_MAX = 2
# What is committed outlives the server, if not the machine.
KEPT = FAST | {"synchronous_commit": "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    text: str
    took_s: float
    # As sent, one for each Set-Cookie.
    cookies: tuple[str, ...]
    headers: dict[str, str]


@dataclass
class Browser:
    """One person: keeps cookies, follows nothing."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """Raises OSError where the process does not listen."""
        sent = {"Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items()), **headers}
        began = time.perf_counter()
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        ) as link:
            link.request(method, path, body or None, {k: v for k, v in sent.items() if v})
            answer = link.getresponse()
            text = answer.read().decode()
        took_s = time.perf_counter() - began
        told = tuple(v for n, v in answer.getheaders() if n.lower() == "set-cookie")
        return Answer(
            status=answer.status,
            text=text,
            took_s=took_s,
            cookies=told,
            headers={n.lower(): v for n, v in answer.getheaders()},
        )

    def sign_in(self) -> None:
        self._keep(page := self.ask("/sign-in/"))
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found, page.text
        form = f"csrfmiddlewaretoken={found[1]}&username=ada&password={PASSWORD}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        done = self.ask("/sign-in/", "POST", form, **kind)
        assert done.status == 302, done.text
        self._keep(done)
        assert "sessionid" in self.cookies

    def _keep(self, answer: Answer) -> None:
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One web process with a pool of two, as deployed, and the servers under it."""

    cluster: Cluster
    port: int
    log: Path

    def browser(self, *, signed_in: bool = True) -> Browser:
        browser = Browser(self.port)
        if signed_in:
            browser.sign_in()
        return browser

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return Browser(self.port).ask("/readyz").status == 200
        return False


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """For all tests of a module: each leaves Postgres running."""
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)  # servers that root starts run as another user
    with Cluster.under(folder, settings=KEPT) as cluster, serving(cluster) as site:
        yield site
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def serving(cluster: Cluster) -> Iterator[Site]:
    """A web process over `cluster`, migrated, with a user."""
    environment = process_environment(cluster) | {
        "DB_POOL_MAX": str(POOL_MAX),
        "METRICS_NETWORKS": "127.0.0.1/32",
    }
    migrate(environment)
    _make_ada(cluster)
    log = cluster.places.var / "web.log"
    command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port"]
    port = free_port()
    with log.open("wb") as file:
        web = subprocess.Popen(
            [*command, str(port), "--no-proxy-headers", "--no-access-log"],
            cwd=ROOT, env=environment, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        site = Site(cluster=cluster, port=port, log=log)
        wait_until(site.is_up, within_s=90, what="the web process is ready")
        yield site
    finally:
        web.terminate()
        web.wait(15)


def _make_ada(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active,"
            " date_joined, first_name, last_name, email)"
            " VALUES ('ada', %s, true, true, true, now(), '', '', '')",
            [make_password(PASSWORD)],
        )
