"""A whole stack as `make up` makes it, with a replica and PgBouncer: asked as a person would."""

import http.cookiejar
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from console.embedded.cluster import Cluster
from tests.fleet import free_port, wait_until
from tests.services import ROOT, process_environment

_READY_S = 180
_PASSWORD = "caused and healed"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL)
_OWN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "NODE_URLS")


@dataclass(kw_only=True)
class Stack:
    """Starts with the block and ends with it. `environment` is what another terminal has."""

    var: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(init=False)
    log: Path = field(init=False)
    _process: "subprocess.Popen[bytes]" = field(init=False)
    _opener: urllib.request.OpenerDirector = field(init=False)

    def __enter__(self) -> Self:
        environment = process_environment(Cluster.under(self.var))
        for name in _OWN:
            del environment[name]
        self.environment = environment | self.settings | {"PORT": str(self.port)}
        self.log = self.var.parent / "up.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "console.embedded.up"],
                cwd=ROOT,
                env=self.environment | {"SWITCHYARD_ADMIN_PASSWORD": _PASSWORD},
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._is_ready, within_s=_READY_S, what=f"the stack is ready: {self.log}")
        except BaseException:
            self._stop()
            raise
        self._sign_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        return "is ready at" in self.log.read_text()

    def page(self, path: str) -> str:
        """The words of a page, also of one that says what is wrong."""
        try:
            with self._opener.open(self._url(path), timeout=10) as answer:
                html = answer.read().decode()
        except urllib.error.HTTPError as refused:
            html = refused.read().decode()
        return " ".join(unescape(_TAGS.sub(" ", html)).split())

    def alerts(self, rule: str) -> list[dict[str, Any]]:
        """Every alert of a rule that there was, by Postgres itself."""
        url = Cluster.under(self.var).postgres.url
        with psycopg.connect(url, row_factory=dict_row) as link:
            return link.execute(_ALERTS, [rule]).fetchall()

    def told(self, alert: int) -> list[str]:
        """What was told of an alert, in order."""
        with psycopg.connect(Cluster.under(self.var).postgres.url) as link:
            return [row[0] for row in link.execute(_TOLD, [alert])]

    def fault(self, name: str, for_s: int) -> "subprocess.Popen[str]":
        """One that has begun."""
        return subprocess.Popen(
            [sys.executable, "manage.py", "fault", name, "--for", f"{for_s}s"],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip

    def _sign_in(self) -> None:
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with self._opener.open(self._url("/"), timeout=20) as form:
            where, html = form.geturl(), form.read().decode()
        token = _TOKEN.search(html)
        assert token, html[:500]
        fields = {"username": "admin", "password": _PASSWORD, "csrfmiddlewaretoken": token[1]}
        with self._opener.open(where, urllib.parse.urlencode(fields).encode(), timeout=20) as page:
            assert "sign-in" not in page.geturl()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


_ALERTS = (
    "SELECT id, subject, state, severity, words FROM monitoring_alert WHERE rule = %s ORDER BY id"
)
_TOLD = """
SELECT what FROM monitoring_notification
WHERE alerts @> jsonb_build_array(jsonb_build_object('id', %s::bigint)) ORDER BY id
"""
