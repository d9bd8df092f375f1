"""`/metrics`: who may read it, what it says when servers are away, which routes it names."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_network

import pytest
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection

from console import metrics as metrics_module
from console.access.models import ApiToken
from console.access.tokens import create_token, revoke_token
from console.embedded.cluster import Cluster
from console.metrics import Metrics, MetricsConfig
from monitoring import instruments, processes, valkey
from tests.web.conftest import Call
from tests.web.test_server import Server

pytestmark = pytest.mark.django_db(transaction=True)

NEAR = (ip_network("192.0.2.0/24"),)


@pytest.fixture(autouse=True)
def empty_cache(services: Cluster) -> Iterator[None]:
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


@pytest.fixture
def serve() -> Iterator[Callable[..., Metrics]]:
    made: list[Metrics] = []

    def make(**config: object) -> Metrics:
        made.append(Metrics(MetricsConfig(**config)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for metrics in made:
        metrics.close()


@pytest.fixture
def secrets(transactional_db: None) -> dict[str, str]:
    """A token of each role."""
    found = {}
    for role in ("viewer", "operator", "admin"):
        user = User.objects.create_user(role)
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        found[role] = create_token(user, "prometheus", role)[1]
    return found


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def ask(app: Metrics, headers: dict[str, str] | None = None, method: str = "GET") -> Call:
    return await Call("/metrics", method, headers=headers or {}).to(app)


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
async def test_a_token_of_any_role_reads(
    serve: Callable[..., Metrics], secrets: dict[str, str], role: str
) -> None:
    app = serve()
    for headers in (bearer(secrets[role]), {"X-API-Key": secrets[role]}):
        call = await ask(app, headers)
        assert call.status == 200
        assert call.answered["content-type"].startswith("text/plain; version=0.0.4")
        assert call.answered["cache-control"] == "no-store"
        assert "switchyard_build_info{" in call.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": "sessionid=abc"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer swy_unknown"},
        {"X-API-Key": "swy_unknown"},
        {"X-Forwarded-For": "192.0.2.9"},
    ],
)
async def test_nobody_else_reads(serve: Callable[..., Metrics], headers: dict[str, str]) -> None:
    call = await ask(serve(networks=(ip_network("10.0.0.0/8"),)), headers)
    assert call.status == 401
    assert call.answered["www-authenticate"] == "Bearer"
    assert "switchyard_" not in call.text


async def test_a_revoked_token_reads_no_more(
    serve: Callable[..., Metrics], secrets: dict[str, str]
) -> None:
    def revoke() -> None:
        revoke_token(ApiToken.objects.get(role="viewer"))
        connection.close()  # the thread's own

    app = serve()
    assert (await ask(app, bearer(secrets["viewer"]))).status == 200
    await asyncio.to_thread(revoke)
    assert (await ask(app, bearer(secrets["viewer"]))).status == 401


async def test_an_allowed_network_needs_no_token(serve: Callable[..., Metrics]) -> None:
    app = serve(networks=NEAR)
    assert (await ask(app)).status == 200
    mapped = Call("/metrics")
    scope = mapped.scope | {"client": ("::ffff:192.0.2.9", 1)}
    await app(scope, mapped.receive, mapped.send)
    assert mapped.status == 200


@pytest.mark.parametrize("client", [None, ("198.51.100.1", 1), ("/run/web.sock", 0)])
async def test_who_comes_from_elsewhere_or_nowhere_is_not_let_in(
    serve: Callable[..., Metrics], client: object
) -> None:
    call = Call("/metrics")
    await serve(networks=NEAR)(call.scope | {"client": client}, call.receive, call.send)
    assert call.status == 401


async def test_a_proxy_within_the_network_lends_its_address_to_nobody(
    serve: Callable[..., Metrics],
) -> None:
    """Its own address is all that is seen, unless TRUSTED_PROXIES says to believe it."""
    forwarded = {"X-Forwarded-For": "203.0.113.5"}
    assert (await ask(serve(networks=NEAR), forwarded)).status == 401
    assert (await ask(serve(networks=NEAR, behind_proxies=True), forwarded)).status == 200


async def test_it_only_reads(serve: Callable[..., Metrics]) -> None:
    app = serve(networks=NEAR)
    call = await ask(app, method="POST")
    assert (call.status, call.answered["allow"]) == (405, "GET, HEAD")
    head = await ask(app, method="HEAD")
    assert (head.status, head.text) == (200, "")
    assert int(head.answered["content-length"]) > 100


async def test_openmetrics_by_accept(serve: Callable[..., Metrics]) -> None:
    call = await ask(
        serve(networks=NEAR), {"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert call.answered["content-type"].startswith("application/openmetrics-text")
    assert call.text.endswith("# EOF\n")


async def test_while_postgres_is_away_what_is_known_is_said(
    serve: Callable[..., Metrics], secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = serve(networks=())
    known = bearer(secrets["viewer"])
    assert (await ask(app, known)).status == 200

    def away(*_: object) -> None:
        raise OperationalError("connection to postgresql://u:canary@db refused")

    monkeypatch.setattr(metrics_module, "authenticate", away)
    monkeypatch.setattr("monitoring.incarnations.stored", away)
    call = await ask(app, known)
    assert call.status == 200
    assert 'switchyard_telemetry_up{source="postgres"} 0.0' in call.text
    assert 'switchyard_telemetry_up{source="valkey"} 1.0' in call.text
    assert "switchyard_incarnations_lost{" not in call.text
    refused = await ask(app, bearer(secrets["admin"]))
    assert (refused.status, "retry-after" in refused.answered) == (503, True)
    assert "canary" not in refused.text


async def test_a_token_is_believed_for_a_while_only_when_it_cannot_be_checked(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    app = Metrics(MetricsConfig(), clock=lambda: now[0])
    known = bearer(secrets["viewer"])
    assert (await ask(app, known)).status == 200

    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(metrics_module, "authenticate", away)
    now[0] = 599
    assert (await ask(app, known)).status == 200
    now[0] = 601
    assert (await ask(app, known)).status == 503
    app.close()


async def test_while_valkey_is_away_there_are_no_gauges_of_workers(
    serve: Callable[..., Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise valkey.ValkeyUnset

    monkeypatch.setattr(processes, "told", away)
    monkeypatch.setattr("monitoring.snapshots.workers", lambda: None)
    call = await ask(serve(networks=NEAR))
    assert call.status == 200
    assert 'switchyard_telemetry_up{source="valkey"} 0.0' in call.text
    assert "switchyard_workers{" not in call.text


async def test_one_works_some_wait_and_the_rest_are_refused(
    serve: Callable[..., Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def render(*_: object, **__: object) -> tuple[bytes, str]:
        assert gate.wait(30)
        return b"late", "text/plain"

    monkeypatch.setattr("monitoring.exposition.render", render)
    monkeypatch.setattr(metrics_module, "_WAITING", 2)
    app = serve(networks=NEAR)
    held = [asyncio.create_task(ask(app)) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await ask(app)
    assert (refused.status, refused.answered["retry-after"]) == (503, "2")
    gate.set()
    assert [(await call).text for call in held] == ["late", "late"]
    assert (await ask(app)).status == 200


async def test_who_is_not_answered_in_time_is_told_and_holds_the_place_until_it_is_free(
    serve: Callable[..., Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def render(*_: object, **__: object) -> tuple[bytes, str]:
        assert gate.wait(30)
        return b"late", "text/plain"

    monkeypatch.setattr("monitoring.exposition.render", render)
    monkeypatch.setattr(metrics_module, "_TIMEOUT_S", 0.01)
    monkeypatch.setattr(metrics_module, "_WAITING", 1)
    app = serve(networks=NEAR)
    assert "within 0.01 s" in (await ask(app)).text
    assert "Too many" in (await ask(app)).text
    gate.set()
    async with asyncio.timeout(10):
        while True:
            if not app._pending:
                break
            await asyncio.sleep(0)
    monkeypatch.setattr(metrics_module, "_TIMEOUT_S", 10)
    assert (await ask(app)).text == "late"


@pytest.fixture
async def server(services: Cluster) -> AsyncIterator[Server]:
    started = Server(services, TRUSTED_PROXIES="", METRICS_NETWORKS="127.0.0.0/8")
    try:
        await started.listening()
        yield started
    finally:
        started.close()


async def figures(server: Server) -> str:
    reader, status, head = await server.ask("/metrics")
    assert status == 200, head
    length = int(head.partition("content-length: ")[2].split("\r\n")[0])
    return (await reader.readexactly(length)).decode()


async def test_requests_are_timed_by_the_name_of_their_route(
    transactional_db: None, server: Server
) -> None:
    for path in ("/validations/", "/validations/123456/", "/nowhere/0xdeadbeef/", "/sign-in/"):
        await server.ask(path)
    async with asyncio.timeout(20):
        while True:
            if 'route="sign-in"' in (text := await figures(server)):
                break
            await asyncio.sleep(0.1)
    counted = {
        line.partition("{")[2].partition("}")[0]: float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith("switchyard_http_request_duration_seconds_count")
    }
    assert counted['route="sign-in",status="200"'] == 1
    assert counted['route="none",status="404"'] == 1
    assert counted['route="runs",status="302"'] == 1
    assert not any(part in text for part in ("123456", "deadbeef", "nowhere"))
    assert 'switchyard_process_resident_memory_bytes{process="web"}' in text


def test_instruments_hold_no_name_twice() -> None:
    counted = {family.name for family in instruments.REGISTRY.collect()}
    assert counted.isdisjoint(instruments.GAUGES)


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=x",
        "application/openmetrics-text;version=",
        "application/openmetrics-text; version=1.0.0.0.0; escaping=%",
        ";;;,=,version=\xff",
    ],
)
async def test_an_accept_that_means_nothing_is_answered_with_text(
    serve: Callable[..., Metrics], accept: str
) -> None:
    call = await ask(serve(networks=NEAR), {"Accept": accept})
    assert call.status == 200
    assert "switchyard_build_info{" in call.text


async def test_what_nobody_expected_is_told_as_such(
    serve: Callable[..., Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr("monitoring.exposition.render", fail)
    call = await ask(serve(networks=NEAR))
    assert call.status == 500
    assert call.answered["content-type"].startswith("text/plain")
    assert "log says why" in call.text
    assert "secret" not in call.text
