"""The processes of a whole console on the session's servers: node, web and a worker fleet."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import redis

from tests.migrated import migrate
from tests.services import ROOT
from validation.devnode import packaged

_READY_S = 60.0
_END_S = 12.0
_WORKERS = 2
_PLACED = "SELECT count(*) FROM validation_slot WHERE fleet = 'worker'"
PASSWORD = "correct horse battery"
_PEOPLE = f"""
from django.contrib.auth.models import Group, User
for role in ("viewer", "operator", "admin"):
    user = User.objects.create_user(f"the-{{role}}", password={PASSWORD!r})
    user.groups.add(Group.objects.get(name=role))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class Stack:
    """Started by `start`, ended by `stop`; logs lie in `folder`."""

    environment: dict[str, str]
    folder: Path
    web_port: int = field(default_factory=free_port)
    node_port: int = field(default_factory=free_port)
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def node(self) -> str:
        return f"http://127.0.0.1:{self.node_port}"

    def start(self) -> None:
        static = self.folder / "static"
        static.mkdir()
        self.environment |= {
            "NODE_URLS": self.node,
            "NODE_CHAIN_ID": str(packaged.CHAIN_ID),
            "WORKERS": str(_WORKERS),
            "PORT": str(self.web_port),
            "STATIC_ROOT": str(static),
        }
        migrate(self.environment)
        self.manage("shell", "-v0", "-c", _PEOPLE)
        self._spawn("node", "manage.py", "devnode", "--port", str(self.node_port))
        self.start_web()
        worker = ("-A", "console.celery", "worker", "--loglevel=WARNING")
        self._spawn("worker", "-m", "celery", *worker, f"--concurrency={_WORKERS}")
        self._wait(self.node, "node")
        self._until(self._workers_are_there, "worker", "with two workers, heard of and counted")

    def start_web(self) -> None:
        options = ("--port", str(self.web_port), "--no-access-log", "--no-proxy-headers")
        graceful = ("--timeout-graceful-shutdown", "5")
        self._spawn("web", "-m", "uvicorn", "console.asgi:application", *options, *graceful)
        self._wait(f"{self.url}/livez", "web")

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=_READY_S)

    def faults(self, **settings: float | str | None) -> None:
        """Sets the node's faults and lies, as an operator would."""
        httpx.post(f"{self.node}/_control", json=settings, timeout=30).raise_for_status()

    def end(self, name: str) -> None:
        child = self._children.pop(name)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(_END_S)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The web process holds its connections and says nothing."""
        web = self._children["web"].pid
        os.killpg(web, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(web, signal.SIGCONT)

    def stop(self) -> None:
        for name in list(self._children):
            self.end(name)

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait(self, url: str, name: str) -> None:
        def answers() -> bool:
            try:
                httpx.get(url, timeout=2)
            except httpx.TransportError:
                return False
            return True

        self._until(answers, name, f"at {url}")

    def _workers_are_there(self) -> bool:
        """Both report, and both have the place that says what share of the nodes is theirs."""
        try:
            with redis.Redis.from_url(self.environment["REDIS_URL"], socket_timeout=5) as client:
                heard = client.scard("switchyard:workers")
        except redis.RedisError:
            return False
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            (placed,) = connection.execute(_PLACED).fetchone() or (0,)
        return bool(heard >= _WORKERS and placed >= _WORKERS)

    def _until(self, is_ready: Callable[[], bool], name: str, where: str) -> None:
        """Polls: another process's readiness has no other sign."""
        until = time.monotonic() + _READY_S
        while time.monotonic() < until and self._children[name].poll() is None:
            if is_ready():
                return
            time.sleep(0.1)
        log = (self.folder / f"{name}.log").read_text(errors="replace")[-3_000:]
        raise RuntimeError(f"{name} did not become ready {where}:\n{log}")
