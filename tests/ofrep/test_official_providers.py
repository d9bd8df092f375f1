"""OpenFeature's own providers, for Python and JavaScript, as clients of the process as deployed.

One process and one deployment for all: a token, flags, changes of them, and a revocation.
"""

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import requests
from django.contrib.auth.models import User
from django.db import connection
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason

from console.access.audit import Actor
from console.access.models import ApiToken
from console.access.tokens import create_token, revoke_token
from console.embedded.cluster import Cluster
from console.flags import acts, loading
from console.flags.models import Flag
from tests.services import process_environment

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://app.example.com"
BULK = "/ofrep/v1/evaluate/flags"
ACTOR = Actor.at_terminal("test")
ADA = EvaluationContext("ada", {"plan": "gold"})


class Served:
    """The web process on the test's database."""

    def __init__(self, cluster: Cluster) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        name = connection.settings_dict["NAME"]
        url = cluster.dsn.replace("/postgres?", f"/{name}?").replace("/switchyard?", f"/{name}?")
        command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", str(port)]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [*command, "--no-proxy-headers", "--timeout-graceful-shutdown", "5"],
            env=process_environment(cluster) | {"DATABASE_URL": url, "OFREP_ORIGINS": ORIGIN},
            cwd=ROOT,
        )

    def ready(self) -> Self:
        def knows_flags() -> bool:
            assert self.process.poll() is None
            try:
                return requests.post(f"{self.url}{BULK}", timeout=5).status_code == 401
            except requests.ConnectionError:
                return False

        within(60, knows_flags)
        return self

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(15)


def within[T](seconds: float, look: Callable[[], T]) -> T:
    """What `look` finds, once it is something."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, f"not within {seconds} s"
        threading.Event().wait(0.02)
    return found


class Js:
    """The program in JavaScript: what it is told, what it says."""

    def __init__(self, modules: Path, url: str, token: str) -> None:
        program = str(Path(__file__).with_name("clients.cjs"))
        self.process = subprocess.Popen(
            ["node", program, str(modules), url, token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.changes: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __call__(self, do: str, **asked: Any) -> Any:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"do": do, **asked}) + "\n")
        self.process.stdin.flush()
        said = self._answers.get(timeout=20)
        assert "failed" not in said, said
        return said["answer"]

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            said = json.loads(line)
            if "changed" in said:
                self.changes.put(said["changed"])
            else:
                self._answers.put(said)

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(10)
        self._reader.join(10)
        self.process.stdout.close()


def flag(key: str, variants: dict[str, Any], kind: str, **more: Any) -> None:
    names = list(variants)
    stands = {"baseline": names[0], "rest": names[0], "target": names[-1], "stage": 100}
    Flag.objects.create(key=key, title=key, type=kind, variants=variants, **(stands | more))


@pytest.fixture
def token(transactional_db: None) -> str:
    loading.load()
    flag("banner", {"plain": "plain", "bold": "bold"}, "string", unit="item")
    flag("limit", {"low": 1, "high": 5_000}, "integer")
    flag("ratio", {"none": 0, "half": 0.5, "whole": 1}, "float")
    flag("dark", {"off": False, "on": True}, "boolean")
    flag("layout", {"wide": {"columns": 2}}, "object")
    flag("gone", {"a": "a"}, "string", enabled=False)
    flag("share", {"old": "old", "new": "new"}, "string", unit="item", stage=50)
    return create_token(User.objects.create_superuser("ada"), "flags", "viewer")[1]


@pytest.fixture
def served(services: Cluster, token: str) -> Iterator[Served]:
    started = Served(services)
    try:
        yield started.ready()
    finally:
        started.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ramp(key: str, variant: str) -> float:
    """When a flag began to be given to all."""
    acts.set_stage(ACTOR, key, stage=100, target=variant, reason="seen by a test")
    return time.monotonic()


@contextmanager
def listening(served: Served, address: str) -> Iterator[queue.SimpleQueue[dict[str, Any]]]:
    """The events of a stream, as a client without headers hears them."""
    heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    answer = requests.get(f"{served.url}{address}", stream=True, timeout=30)
    assert answer.status_code == 200

    def read() -> None:
        for line in answer.iter_lines():
            if line.startswith(b"data: "):
                heard.put(json.loads(line[6:]))
        heard.put({"type": "ended"})

    reader = threading.Thread(target=read)
    reader.start()
    yield heard
    reader.join(10)
    assert not reader.is_alive()
    answer.close()


def test_the_official_providers_evaluate_follow_and_are_revoked(
    served: Served, token: str, openfeature_js: Path
) -> None:
    within(20, lambda: _status(served, token) == 200)
    js = Js(openfeature_js, served.url, token)
    try:
        _python(served, token)
        _javascript(js)
        _named_origins(served, token)
        _polls(js)
        _listens(served, token, js)
        _ends(served)
    finally:
        js.close()


def _python(served: Served, token: str) -> None:
    provider = OFREPProvider(served.url, headers_factory=lambda: bearer(token))
    api.set_provider_and_wait(provider, "official")
    client = api.get_client("official")
    asked: list[tuple[FlagEvaluationDetails[Any], Any]] = [
        (client.get_string_details("banner", "mine", ADA), "bold"),
        (client.get_integer_details("limit", 7, ADA), 5_000),
        (client.get_float_details("ratio", 0.1, ADA), 1.0),
        (client.get_boolean_details("dark", False, ADA), True),
        (client.get_object_details("layout", {}, ADA), {"columns": 2}),
        (client.get_string_details("cache.codec", "mine", ADA), "zstd-fast"),
    ]
    for details, value in asked:
        assert (details.value, details.error_code) == (value, None), details
    assert asked[0][0].variant == "bold"
    assert asked[0][0].reason == Reason.STATIC
    assert asked[0][0].flag_metadata["baseline"] == "plain"
    assert client.get_string_details("share", "mine", ADA).reason == Reason.SPLIT
    off = client.get_string_details("gone", "mine", ADA)
    assert (off.value, off.reason, off.error_code) == ("mine", Reason.DISABLED, None)
    refused = {
        "never": ErrorCode.FLAG_NOT_FOUND,
        "share": ErrorCode.TARGETING_KEY_MISSING,
    }
    for key, code in refused.items():
        details = client.get_string_details(key, "mine", EvaluationContext())
        assert (details.value, details.error_code) == ("mine", code)
    provider.session.close()


def _javascript(js: Js) -> None:
    js("server")
    ada = {"targetingKey": "ada"}
    for kind, key, value, found in (
        ("string", "banner", "mine", "bold"),
        ("integer", "limit", 7, 5_000),
        ("float", "ratio", 0.1, 1),
        ("boolean", "dark", False, True),
        ("object", "layout", {}, {"columns": 2}),
    ):
        details = js("ask", type=kind, key=key, value=value, context=ada)
        assert details["value"] == found
        assert details["reason"] == "STATIC"
        assert "errorCode" not in details
    assert js("ask", type="string", key="share", value="mine", context=ada)["reason"] == "SPLIT"
    off = js("ask", type="string", key="gone", value="mine", context=ada)
    assert off["value"] == "mine"  # its reason is ERROR: of before answers without a value
    for key, code in (("never", "FLAG_NOT_FOUND"), ("share", "TARGETING_KEY_MISSING")):
        details = js("ask", type="string", key=key, value="mine", context={})
        assert (details["value"], details["errorCode"]) == ("mine", code)


def _polls(js: Js) -> None:
    """Without an event stream: what did not change costs a 304, what did is taken over."""
    options = {"pollInterval": 50, "changeDetection": "polling"}
    js("web", context={"targetingKey": "ada"}, options=options)
    assert _banner(js) == "bold"
    off = js("read", type="string", key="gone", value="mine")
    assert (off["value"], off["reason"]) == ("mine", "DISABLED")
    js("statuses")
    for _ in range(2):
        assert set(within(5, lambda: js("statuses"))) == {304}
    ramp("banner", "plain")
    assert js.changes.get(timeout=5) == ["banner"]
    assert _banner(js) == "plain"


def _listens(served: Served, token: str, js: Js) -> None:
    """A change reaches the provider and a plain listener by the stream."""
    js("web", context={"targetingKey": "ada"}, options={})
    heard_s, changed_s = [], []
    with _heard(served, token) as heard:
        etag = heard.get(timeout=20)["etag"]
        for variant in ("bold", "plain", "bold"):
            began = ramp("banner", variant)
            event = heard.get(timeout=20)
            heard_s.append(time.monotonic() - began)
            assert event["type"] == "refetchEvaluation"
            assert event["etag"] != etag
            etag = event["etag"]
            assert js.changes.get(timeout=20) == ["banner"]
            changed_s.append(time.monotonic() - began)
            assert _banner(js) == variant
        revoke_token(ApiToken.objects.get())
        assert heard.get(timeout=20)["type"] == "ended"
    # The best of three: two processes share a machine that may hold up either.
    assert min(heard_s) < 1.0
    assert min(changed_s) < 2.0


def _ends(served: Served) -> None:
    """A token that is revoked is refused, and its stream ends, within three seconds: the best of
    three, as above.
    """
    took_s = []
    for name in ("one", "two", "three"):
        row, token = create_token(User.objects.get(), name, "viewer")
        within(20, lambda: _status(served, token) == 200)  # noqa: B023 - called within this turn
        with _heard(served, token) as heard:
            heard.get(timeout=20)
            revoke_token(row)
            began = time.monotonic()
            assert heard.get(timeout=20)["type"] == "ended"
            within(20, lambda: _status(served, token) == 401)  # noqa: B023 - as above
            took_s.append(time.monotonic() - began)
    assert min(took_s) < 3.0


@contextmanager
def _heard(served: Served, token: str) -> Iterator[queue.SimpleQueue[dict[str, Any]]]:
    asked = requests.post(f"{served.url}{BULK}", headers=bearer(token), json={}, timeout=20)
    [stream] = asked.json()["eventStreams"]
    with listening(served, stream["endpoint"]["requestUri"]) as heard:
        yield heard


def _named_origins(served: Served, token: str) -> None:
    for origin, may in ((ORIGIN, True), ("https://evil.example", False)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = requests.options(f"{served.url}{BULK}", headers=asked, timeout=5)
        assert answer.ok is may
        answer = requests.post(
            f"{served.url}{BULK}", headers=bearer(token) | {"Origin": origin}, json={}, timeout=5
        )
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if may else None)
        assert answer.headers["ETag"]


def _banner(js: Js) -> str:
    value: str = js("read", type="string", key="banner", value="mine")["value"]
    return value


def _status(served: Served, token: str) -> int:
    return requests.post(
        f"{served.url}{BULK}", headers=bearer(token), data="{}", timeout=5
    ).status_code
