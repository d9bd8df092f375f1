"""Where an act came from: by page, API and terminal; behind a proxy that is trusted, and not."""

from importlib import import_module
from io import BytesIO
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from console.access import origin
from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.origin import trace_id_of
from console.access.tokens import create_token
from console.bridge import environ_of
from console.management import acting
from console.wire import Receive, Scope, Send
from tests.web.conftest import Call

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PURGE = {"tag": "head", "confirm": "head", "reason": "A reorganisation was seen"}


@pytest.mark.parametrize(
    "said", [f"00-{TRACE}-{PARENT}-01", f" 00-{TRACE}-{PARENT}-00 ", f"01-{TRACE}-{PARENT}-01-more"]
)
def test_the_callers_own_trace_is_kept(said: str) -> None:
    assert trace_id_of(said) == TRACE


@pytest.mark.parametrize(
    "said",
    [
        "",
        TRACE,
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\nx",
        "x" * 10_000,
    ],
)
def test_what_is_none_is_replaced_by_a_new_one(said: str) -> None:
    made = trace_id_of(said)
    assert made not in {TRACE, trace_id_of(said)}
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")


def test_a_request_is_known_while_it_lasts_to_what_it_does_and_to_its_log() -> None:
    seen: list[origin.Origin] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(origin.current())
        bound: dict[str, Any] = structlog.contextvars.get_contextvars()
        assert bound["trace_id"] == TRACE
        if request.path == "/fails":
            raise ZeroDivisionError
        return HttpResponse()

    asked = RequestFactory(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    answer = origin.known(view)(asked.get("/", REMOTE_ADDR="2001:db8::7"))
    assert answer["X-Request-ID"] == TRACE
    with pytest.raises(ZeroDivisionError):
        origin.known(view)(asked.get("/fails"))
    assert seen[0] == origin.Origin(source="2001:db8::7", trace_id=TRACE)
    assert origin.current() == origin.Origin()
    assert "trace_id" not in structlog.contextvars.get_contextvars()


def test_every_answer_of_django_names_its_request(clients: dict[str, Client]) -> None:
    ids = {
        clients[who].get(address)["X-Request-ID"]
        for who, address in (
            ("viewer", "/breakers/"),
            ("viewer", "/nothing/"),
            ("anonymous", "/breakers/"),
            ("anonymous", "/api/v1/runs"),
        )
    }
    assert len(ids) == 4


def test_an_act_by_api_keeps_address_trace_and_token(people: dict[str, User]) -> None:
    _, secret = create_token(people["operator"], "deploy", "operator")
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    answer = program.post(
        "/api/v1/caches/purge",
        PURGE,
        content_type="application/json",
        headers={"traceparent": "nonsense", "X-Forwarded-For": "203.0.113.66"},
        REMOTE_ADDR="198.51.100.4",
    )
    assert answer.status_code == 202, answer.content
    entry = AuditEntry.objects.get()
    # No proxy is trusted here: what the caller says of itself is nothing.
    assert (entry.origin, entry.token, entry.source) == ("api", "deploy", "198.51.100.4")
    assert entry.trace_id == answer["X-Request-ID"]
    [told] = program.get("/api/v1/audit").json()["entries"]
    assert (told["source"], told["trace_id"]) == (entry.source, entry.trace_id)


def test_a_terminal_is_known_by_its_account_and_the_trace_of_its_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRACEPARENT", f"00-{TRACE}-{PARENT}-01")
    actor = acting.actor()
    assert (actor.source, actor.trace_id) == (actor.name, TRACE)
    assert "@" in actor.source
    monkeypatch.delenv("TRACEPARENT")
    assert Actor.at_terminal("ada@rack-4").trace_id != Actor.at_terminal("ada@rack-4").trace_id


@pytest.mark.parametrize(
    ("trusted", "source"), [(["192.0.2.0/24"], "203.0.113.66"), ([], "192.0.2.9")]
)
async def test_behind_a_trusted_proxy_the_client_is_the_source(
    trusted: list[str], source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Importing it says that this process serves the web.
    monkeypatch.setenv("SWITCHYARD_PROCESS", "")
    asgi: Any = import_module("console.asgi")
    seen: list[str] = []

    async def served(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(environ_of(scope, BytesIO())["REMOTE_ADDR"])

    with override_settings(TRUSTED_PROXIES=trusted):
        app = asgi._behind_proxies(served)
    # The call comes from 192.0.2.9.
    await Call("/", headers={"X-Forwarded-For": "203.0.113.66"}).to(app)
    assert seen == [source]
