"""What OFREP answers for one flag and for all, and how it says that it cannot."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from console.access.quotas import InProcess, Quotas
from console.flags.ofrep.app import Ofrep
from console.flags.ofrep.callers import Callers
from console.flags.provider import FlagProvider
from monitoring.instruments import FLAG_EVALUATIONS
from tests.ofrep.conftest import BULK, GOOD, NARROW, ask, flag, load, told
from tests.web.conftest import Call

ADA = {"targetingKey": "ada"}


@pytest.mark.parametrize(
    ("key", "context", "answer"),
    [
        ("everywhere", {}, ("new", "STATIC", "new")),
        ("nowhere", ADA, ("old", "STATIC", "old")),
        ("ranked", {"rank": 0, "processes": 2}, ("new", "TARGETING_MATCH", "new")),
        ("ranked", {"rank": 1, "processes": 2}, ("old", "TARGETING_MATCH", "old")),
        ("imported", {"plan": "gold"}, ("new", "TARGETING_MATCH", "new")),
        ("imported", {"plan": "tin"}, ("old", "DEFAULT", "old")),
        ("switch", {}, ("on", "STATIC", True)),
        ("size", {}, ("large", "STATIC", 5_000_000_000)),
        ("layout", {}, ("wide", "STATIC", {"columns": [1, 2], "title": "é"})),
    ],
)
async def test_one_flag_has_its_variant_value_and_the_reason_why(
    app: Ofrep, key: str, context: dict[str, Any], answer: tuple[str, str, Any]
) -> None:
    call = await ask(app, key, context)
    found = told(call)
    assert (call.status, found["key"]) == (200, key)
    assert (found["variant"], found["reason"], found["value"]) == answer
    assert found["metadata"]["baseline"] in {"old", "off", "small", "wide"}
    assert all(isinstance(each, str | int | float | bool) for each in found["metadata"].values())


async def test_a_float_stays_one_where_it_is_whole(app: Ofrep) -> None:
    assert '"value":1.0' in (await ask(app, "ratio")).text


async def test_a_share_by_targeting_key_or_time_is_a_split_and_stays_for_the_key(
    app: Ofrep,
) -> None:
    shares = []
    for n in range(200):
        answers = [told(await ask(app, "split", {"targetingKey": f"k{n}"})) for _ in range(2)]
        assert answers[0] == answers[1]
        assert answers[0]["reason"] == "SPLIT"
        shares.append(answers[0]["variant"])
    assert 70 < shares.count("new") < 130
    assert told(await ask(app, "timed"))["reason"] == "SPLIT"


async def test_a_flag_that_is_off_has_no_value_so_that_the_callers_default_holds(
    app: Ofrep,
) -> None:
    answer = told(await ask(app, "off"))
    assert "value" not in answer
    assert (answer["reason"], answer["variant"]) == ("DISABLED", "")
    assert answer["metadata"]["title"] == ""


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "PARSE_ERROR"),
        (b"{", 400, "PARSE_ERROR"),
        (b"[]", 400, "PARSE_ERROR"),
        (b"null", 400, "PARSE_ERROR"),
        (b'{"context": {"a": NaN}}', 400, "PARSE_ERROR"),
        (b'{"context": {"a": 1e400}}', 400, "PARSE_ERROR"),
        (b'{"context": {"a": "\xff"}}', 400, "PARSE_ERROR"),
        (b'{"context": {"a": "\\ud800"}}', 400, "PARSE_ERROR"),
        (b'{"context": {}} {}', 400, "PARSE_ERROR"),
        (b'{"context": []}', 400, "INVALID_CONTEXT"),
        (b'{"context": null}', 400, "INVALID_CONTEXT"),
        (b'{"context": "ada"}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 7}}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"a": ' + b"[" * 8 + b"]" * 8 + b"}}", 400, "INVALID_CONTEXT"),
        (b'{"context": ' + b"[" * 60_000, 400, "INVALID_CONTEXT"),
        (b'{"context": {"a": [' + b"1," * 1_000 + b"1]}}", 400, "INVALID_CONTEXT"),
        (b'{"context": {"a": "' + b"x" * 65_536 + b'"}}', 400, "INVALID_CONTEXT"),
    ],
)
async def test_a_malformed_request_is_named_for_what_it_is(
    app: Ofrep, body: bytes, status: int, code: str
) -> None:
    one, every = await ask(app, "everywhere", body=body), await ask(app, body=body)
    assert (one.status, every.status) == (status, status)
    assert told(one)["key"] == "everywhere"
    assert "key" not in told(every)
    for call in (one, every):
        answer = told(call)
        assert answer["errorCode"] == code
        assert len(answer["errorDetails"]) < 300


@pytest.mark.parametrize("body", [b"{}", b'{"context": {}}', b'{"other": 1}'])
async def test_who_names_no_context_is_asked_for_nobody_in_particular(
    app: Ofrep, body: bytes
) -> None:
    assert told(await ask(app, "everywhere", body=body))["value"] == "new"


@pytest.mark.parametrize("key", ["absent", "a/b", "é", "\x00", "x" * 5_000])
async def test_a_flag_that_is_not_there_is_not_found(app: Ofrep, key: str) -> None:
    call = await ask(app, key)
    answer = told(call)
    assert (call.status, answer["errorCode"]) == (404, "FLAG_NOT_FOUND")
    assert answer["key"] == key[:200] or len(key) > 200
    assert len(answer["errorDetails"]) < 300


async def test_a_share_of_targeting_keys_needs_one(app: Ofrep) -> None:
    for context in ({}, {"targetingKey": ""}):
        call = await ask(app, "split", context)
        assert (call.status, told(call)["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    assert told(await ask(app, "everywhere"))["value"] == "new"


async def test_targeting_that_names_nothing_that_is_there_spoils_that_flag_alone(
    app: Ofrep,
) -> None:
    call = await ask(app, "broken", {"plan": "gold"})
    assert (call.status, told(call)["errorCode"]) == (400, "GENERAL")
    found = {each["key"]: each for each in told(await ask(app, None, {"plan": "gold"}))["flags"]}
    assert found["broken"]["errorCode"] == "GENERAL"
    assert found["imported"]["variant"] == "new"


async def test_all_flags_come_at_once_those_that_have_no_answer_with_why(app: Ofrep) -> None:
    call = await ask(app, None, {"rank": 0, "processes": 2})
    answer = told(call)
    found = {each["key"]: each for each in answer["flags"]}
    assert found.keys() == {
        *("everywhere", "nowhere", "split", "ranked", "timed", "off", "switch", "size"),
        *("ratio", "layout", "imported", "broken"),
    }
    assert found["split"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert found["off"]["reason"] == "DISABLED"
    assert "value" not in found["off"]
    one = told(await ask(app, "ranked", {"rank": 0, "processes": 2}))
    assert found["ranked"] == one
    assert answer["metadata"]["revision"] == 41
    [stream] = answer["eventStreams"]
    assert stream["type"] == "sse"
    assert stream["endpoint"]["requestUri"].startswith("/ofrep/v1/events?permit=")
    assert stream["inactivityDelaySec"] == 120


async def test_what_did_not_change_is_not_sent_again(app: Ofrep, flags: FlagProvider) -> None:
    async def tag(context: dict[str, Any]) -> str:
        return (await ask(app, None, context)).answered["etag"]

    async def status(given: str, context: dict[str, Any]) -> int:
        call = await ask(app, None, context, headers={"If-None-Match": given})
        assert (call.text == "") == (call.status == 304)
        assert call.answered["etag"]
        return call.status

    load(flags, 42, flag("timed", {"old": "old", "new": "new"}))
    first = await tag(ADA | {"plan": "tin", "rank": 1})
    assert first.startswith('"')
    assert await tag({"rank": 1, "plan": "tin"} | ADA) == first
    for given in (first, first.strip('"'), f"W/{first}", f'"other", {first}'):
        assert await status(given, ADA | {"plan": "tin", "rank": 1}) == 304
    assert await status('"other"', ADA | {"plan": "tin", "rank": 1}) == 200
    assert await status(first, ADA | {"plan": "tin", "rank": 2}) == 200
    load(flags, 43, flag("timed", {"old": "old", "new": "new"}))
    assert await status(first, ADA | {"plan": "tin", "rank": 1}) == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("flagConfigEtag=r41&flagConfigLastModified=1771622898", 200),
        ("flagConfigEtag=%22r41%22&flagConfigLastModified=2026-02-20T21:28:18Z", 200),
        ("flagConfigEtag=550e8400-e29b-41d4&flagConfigLastModified=never", 200),
        ("&".join(f"a{n}=1" for n in range(30)), 400),
    ],
)
async def test_what_an_event_said_may_come_back_in_the_query(
    app: Ofrep, query: str, status: int
) -> None:
    assert (await ask(app, query=query)).status == status


async def test_who_heard_of_a_change_elsewhere_waits_until_it_is_here(
    app: Ofrep, flags: FlagProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def passing(_: float) -> None:
        load(flags, 99)

    monkeypatch.setattr("console.flags.ofrep.app.asyncio.sleep", passing)
    answer = told(await ask(app, query="flagConfigEtag=r99"))
    assert answer["metadata"]["revision"] == 99


@pytest.mark.parametrize(
    ("secret", "headers", "status"),
    [
        (None, {}, 401),
        (None, {"Cookie": "sessionid=abc"}, 401),
        (None, {"Authorization": f"Basic {GOOD}"}, 401),
        (None, {"Authorization": "Bearer"}, 401),
        ("swy_unknown", {}, 401),
        ("other", {}, 401),
        (NARROW, {}, 403),
        (GOOD, {}, 200),
        (None, {"X-API-Key": GOOD}, 200),
        (None, {"Authorization": f"bearer  {GOOD} "}, 200),
    ],
)
async def test_only_a_token_with_the_scope_is_answered(
    app: Ofrep, secret: str | None, headers: dict[str, str], status: int
) -> None:
    for key in (None, "everywhere"):
        call = await ask(app, key, secret=secret, headers=headers)
        assert call.status == status
        if status == 401:
            assert call.answered["www-authenticate"].startswith("Bearer")
        if status != 200:
            assert told(call)["errorDetails"]
            assert "value" not in call.text
            assert call.answered["connection"] == "close"  # its body was not read


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (BULK, "GET", 405),
        (f"{BULK}/everywhere", "PUT", 405),
        ("/ofrep/v1/events", "POST", 405),
        (f"{BULK}/", "POST", 404),
        ("/ofrep/v1/configuration", "GET", 404),
        ("/ofrep/", "POST", 404),
    ],
)
async def test_other_addresses_and_methods_are_refused(
    app: Ofrep, path: str, method: str, status: int
) -> None:
    call = await ask(app, path=path, method=method)
    assert call.status == status
    assert told(call)["errorCode"] == "GENERAL"
    assert ("allow" in call.answered) == (status == 405)


async def test_a_token_that_made_its_calls_is_told_when_to_come_again(
    make: Callable[..., Ofrep],
) -> None:
    app = make(quotas=Quotas(3, lambda: "process", variants={"process": InProcess}))
    statuses = [(await ask(app, "everywhere")).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    call = await ask(app)
    assert call.status == 429
    assert 1 <= int(call.answered["retry-after"]) <= 60
    assert told(call)["errorCode"] == "GENERAL"


async def test_a_quota_that_asks_the_cache_server_keeps_nobody_else_waiting(
    make: Callable[..., Ofrep],
) -> None:
    asked, answers = threading.Event(), threading.Event()

    class Slow(InProcess):
        blocks = True

        def take(self, key: str) -> float | None:
            asked.set()
            assert answers.wait(10)
            return super().take(key)

    app = make(quotas=Quotas(1, lambda: "shared", variants={"shared": Slow}))
    waiting = asyncio.ensure_future(ask(app, "everywhere"))
    await asyncio.to_thread(asked.wait, 10)
    assert (await ask(app, "everywhere", secret=None)).status == 401
    assert not waiting.done()
    answers.set()
    assert (await waiting).status == 200
    assert (await ask(app, "everywhere")).status == 429


async def test_without_any_flags_it_says_so_instead_of_not_found(
    make: Callable[..., Ofrep], flags: FlagProvider
) -> None:
    flags.set_document({"flags": {}}, 0, anew=True)
    call = await ask(make(), "everywhere")
    assert (call.status, call.answered["retry-after"]) == (503, "2")


async def test_what_nobody_expected_is_logged_and_not_told(
    make: Callable[..., Ofrep], flags: FlagProvider
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("the secret of it")

    call = await ask(make(callers=Callers(ask=fail)), "everywhere")
    assert call.status == 500
    assert "secret" not in call.text
    assert "reference" in told(call)["errorDetails"]


async def test_evaluations_are_counted_by_flag_and_variant_and_guesses_are_not(
    app: Ofrep,
) -> None:
    def count(key: str, variant: str) -> float:
        return float(FLAG_EVALUATIONS.labels(key, variant)._value.get())

    before = count("everywhere", "new")
    await ask(app, "everywhere")
    await ask(app)
    assert count("everywhere", "new") == before + 2
    await ask(app, "never-heard-of")
    known = {labels for labels in FLAG_EVALUATIONS._metrics if labels[0] == "never-heard-of"}
    assert known == set()


async def test_evaluations_are_told_to_opentelemetry(app: Ofrep) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("asked") as span:
        await ask(app, "everywhere", ADA)
        await ask(app, "ranked")
    assert isinstance(span, ReadableSpan)
    found = [dict(event.attributes or {}) for event in span.events]
    assert [each["feature_flag.key"] for each in found] == ["everywhere", "ranked"]
    assert found[0]["feature_flag.result.variant"] == "new"
    assert "ada" not in str(found)


async def test_a_body_in_parts_is_read_whole_and_bounded(app: Ofrep) -> None:
    sent = json.dumps({"context": {"plan": "gold"}}).encode()
    shown = {"Authorization": f"Bearer {GOOD}", "Transfer-Encoding": "chunked"}
    parts = [sent[:5], sent[5:9], sent[9:]]
    call = await Call(f"{BULK}/imported", "POST", "", shown, body=parts).to(app)
    assert told(call)["variant"] == "new"
    flood = [b" " * 10_000] * 10
    call = await Call(f"{BULK}/imported", "POST", "", shown, body=flood).to(app)
    assert (call.status, told(call)["errorCode"]) == (400, "INVALID_CONTEXT")


async def test_many_flags_leave_others_their_turn_and_are_of_one_document(
    app: Ofrep, flags: FlagProvider
) -> None:
    many = {f"many-{n}": {"a": "a", "b": "b"} for n in range(400)}
    load(flags, 42, *(flag(key, names) for key, names in many.items()))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1
            if turns == 4:
                # Of fewer flags, others of them: the first half is not to be of what was before.
                load(flags, 43, *(flag(key, {"c": "c"}) for key in list(many)[:200]))

    task = asyncio.ensure_future(others())
    document = told(await ask(app))
    task.cancel()
    assert turns >= 8
    assert document["metadata"]["revision"] == 43
    found = [each["variant"] for each in document["flags"] if each["key"] in many]
    assert found == ["c"] * 200
