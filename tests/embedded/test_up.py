"""`make up` itself: from nothing to an answering console, and back to nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest

from console.embedded.cluster import Cluster
from console.embedded.processes import alive
from console.embedded.readiness import port_near
from tests.services import ROOT, process_environment

# Together: the first test makes the stack's data, which the second finds again.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Up:
    """One `make up` without make."""

    def __init__(self, var: Path, port: int) -> None:
        environment = process_environment(Cluster.under(var))
        for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"):
            del environment[name]
        environment |= {"PORT": str(port), "WORKERS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.embedded.up"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def read_until(self, text: str) -> str:
        """The first line with `text`; fails with all that was said where it never comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError("".join(self.lines))

    def end(self, number: signal.Signals) -> float:
        """Seconds until it and everything it started were gone."""
        own = psutil.Process(self.process.pid)
        family = [own, *own.children(recursive=True)]
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        took_s = time.monotonic() - began
        assert not [member for member in family if alive(member)]
        return took_s


@pytest.fixture
def port() -> int:
    return port_near("127.0.0.1", 18999)


@pytest.fixture
def up(tmp_path: Path, port: int) -> Iterator[Up]:
    started = Up(tmp_path, port)
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.communicate(timeout=30)


def test_from_nothing_to_a_console_and_back(up: Up, tmp_path: Path, port: int) -> None:
    up.read_until(f"Switchyard is ready at http://127.0.0.1:{port}/")
    password = up.read_until("Sign in as admin with the password").split("password ")[1].split()[0]
    with urlopen(f"http://127.0.0.1:{port}/livez", timeout=5) as answer:
        assert answer.status == 200
    with psycopg.connect(Cluster.under(tmp_path).dsn) as connection:
        row = connection.execute("SELECT is_superuser FROM auth_user WHERE username = 'admin'")
        assert row.fetchone() == (True,)

    second = subprocess.run(
        [sys.executable, "-m", "console.embedded.up"],
        cwd=ROOT,
        env=os.environ | {"VAR_DIR": str(tmp_path), "PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 2
    assert re.fullmatch(r"switchyard: Switchyard already runs in .*\n", second.stderr)
    assert f"(process {up.process.pid})" in second.stderr

    assert up.end(signal.SIGTERM) < 10
    assert up.process.returncode == 0
    assert not (tmp_path / "stack.env").exists()

    again = Up(tmp_path, port)
    try:
        again.read_until("is ready")
        assert not any(password in line for line in again.lines)
    finally:
        assert again.end(signal.SIGINT) < 10


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Up(tmp_path, port)
        said, _ = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 2
    assert re.fullmatch(rf"switchyard: PORT={port} on 127\.0\.0\.1 is taken .*\n", said)


@pytest.mark.parametrize(("name", "value"), [("PORT", "eighty"), ("WORKERS", "0")])
def test_a_bad_value_is_one_clear_line(tmp_path: Path, name: str, value: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "console.embedded.up"],
        cwd=ROOT,
        env=os.environ | {"VAR_DIR": str(tmp_path), name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert re.fullmatch(rf"switchyard: {name}='{value}' is not .*\n", refused.stderr)
