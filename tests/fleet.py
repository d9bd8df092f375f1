"""A real fleet on servers of its own: demo node, Celery worker and beat as separate processes.

Tests kill parts of it, benchmarks time it. Nothing of it outlives the `with` block.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from console.embedded.cluster import Cluster
from tests.migrated import migrate
from tests.services import ROOT, process_environment
from validation.devnode import packaged

_READY_S = 90
_POLL_S = 0.05


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(done: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Polls until `done`; fails the caller, naming `what`, when it takes too long."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(_POLL_S)


@dataclass(kw_only=True)
class Fleet:
    """`workers` prefork children over the demo node. `node_options` are `manage.py devnode`'s."""

    cluster: Cluster
    workers: int = 2
    node_options: tuple[str, ...] = ()
    worker_options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # The demo node under each of them: to the workers, a node each.
    node_names: tuple[str, ...] = ("127.0.0.1",)
    log: Path = field(init=False)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _watching: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        self.log = self.cluster.places.var / "fleet.log"
        port = free_port()
        self.environment = process_environment(self.cluster) | {
            "NODE_URLS": ",".join(f"http://{name}:{port}/" for name in self.node_names),
            "NODE_CHAIN_ID": str(packaged.CHAIN_ID),
            "WORKERS": str(self.workers),
            **self.environment,
        }
        migrate(self.environment)
        try:
            self._spawn("node", "manage.py", "devnode", "--port", str(port), *self.node_options)
            self.start_worker()
            self._spawn("beat", "-m", "celery", "-A", "console.celery", "beat", "-l", "warning",
                        "-s", str(self.cluster.places.var / "beat"))  # fmt: skip
            wait_until(lambda: _listens(port), within_s=_READY_S, what="the demo node listens")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_worker(self) -> None:
        self._spawn("worker", "-m", "celery", "-A", "console.celery", "worker", "-l", "warning",
                    "-c", str(self.workers), "-P", "prefork", *self.worker_options)  # fmt: skip
        what = f"{self.workers} worker children"
        wait_until(lambda: len(self.children()) == self.workers, within_s=_READY_S, what=what)

    def start_web(self) -> int:
        """A web process; the port that it listens on."""
        port = free_port()
        self._spawn(f"web {port}", "-m", "uvicorn", "console.asgi:application", "--port", str(port),
                    "--no-proxy-headers", "--log-level", "warning")  # fmt: skip
        wait_until(lambda: _listens(port), within_s=_READY_S, what="the web process listens")
        return port

    def stop_worker(self, how: signal.Signals = signal.SIGTERM) -> None:
        process = self._processes.pop("worker")
        process.send_signal(how)
        process.wait(timeout=_READY_S)

    def process(self, name: str) -> "subprocess.Popen[bytes]":
        """`node`, `worker` or `beat`."""
        return self._processes[name]

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._processes["worker"].pid).children()
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        if self._watching is not None:
            self._watching.close()
        webs = [name for name in self._processes if name.startswith("web ")]
        for name in (*webs, "beat", "worker", "node"):
            process = self._processes.pop(name, None)
            if process is None:
                continue
            family = _descendants(process.pid)
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                for member in family:
                    member.kill()
                process.wait(timeout=5)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_run(self, count: int, *, kind: str = "tx", level: int | None = None) -> int:
        """Starts a run of `count` items over the demo chain's real subjects; returns its id."""
        asked = [str(count), kind] + ([] if level is None else [str(level)])
        done = subprocess.run(
            [sys.executable, "-m", "tests.start_run", *asked],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    def rows(self, query: str, *params: object) -> list[tuple[Any, ...]]:
        if self._watching is None or self._watching.broken or self._watching.closed:
            self._watching = psycopg.connect(self.cluster.dsn, connect_timeout=5, autocommit=True)
        return self._watching.execute(query, params).fetchall()

    def done(self, run: int) -> int:
        """Items with a closed chunk; -1 while the database does not answer."""
        query = (
            "SELECT coalesce(sum(size), 0)::int FROM validation_chunk "
            "WHERE run_id = %s AND state = 'done'"
        )
        try:
            return int(self.rows(query, run)[0][0])
        except psycopg.OperationalError:
            return -1

    def finished(self, run: int) -> bool:
        try:
            return self.rows("SELECT state FROM validation_run WHERE id = %s", run) == [("done",)]
        except psycopg.OperationalError:
            return False

    def _spawn(self, name: str, *arguments: str) -> None:
        with self.log.open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_one_child(fleet: Fleet, turn: int) -> None:
    """SIGKILLs a child of the worker, if one is there just now."""
    children = fleet.children()
    if children:
        os.kill(children[turn % len(children)].pid, signal.SIGKILL)
