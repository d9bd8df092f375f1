"""A demo node of an experiment's own: another process, whose delay and faults are set for it."""

import http.client
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

_ANSWER_S = 10.0
_END_S = 5.0


class NodeFailed(Exception):
    """It does not start or answer; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Since its start."""

    requests: int
    calls: int


class PrivateNode:
    """Serves from `with` on until its end."""

    def __init__(self, wanted: Mapping[str, object]) -> None:
        self._wanted = dict(wanted)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "console.experiments.serving"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
        )
        try:
            self.url = self._address()
            self._control(self._wanted)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def set(self, **wanted: object) -> None:
        self._control(wanted)

    def counts(self) -> Counts:
        told = self._control(None)["counters"]
        return Counts(requests=told["requests"], calls=told["calls"])

    def _address(self) -> str:
        process = self._process
        line = process.stdout.readline().strip() if process and process.stdout else ""
        if not line.startswith("http://"):
            said = process.stderr.read().splitlines() if process and process.stderr else []
            raise NodeFailed(f"The demo node does not start: {said[-1] if said else 'it ended'}.")
        return line

    def _control(self, wanted: Mapping[str, object] | None) -> Any:
        """Sets what is wanted, None: nothing; what it says then."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_S)
        try:
            body = None if wanted is None else msgspec.json.encode(wanted)
            head = {"Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", "/_control", body, head)
            answer = connection.getresponse()
            read = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise NodeFailed(f"The demo node does not answer: {exc}.") from exc
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise NodeFailed(f"The demo node refuses {wanted}: {read[:200].decode()}")
        return msgspec.json.decode(read)

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
