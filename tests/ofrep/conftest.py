"""OFREP's application without a server: flags that a test sets, tokens that it names."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from console.access.quotas import InProcess, Quotas
from console.flags import compiling
from console.flags.ofrep.app import Ofrep
from console.flags.ofrep.callers import Callers, Standing
from console.flags.ofrep.cors import Cors
from console.flags.ofrep.streams import Streams
from console.flags.provider import FlagProvider
from console.flags.states import FlagState
from tests.web.conftest import Call

GOOD, NARROW = "swy_good", "swy_narrow"
TOKENS = {GOOD: Standing(token=7, may=True), NARROW: Standing(token=8, may=False)}
BULK = "/ofrep/v1/evaluate/flags"


def flag(key: str, variants: Mapping[str, Any], **more: Any) -> FlagState:
    """At 100 % of its last variant unless told."""
    names = list(variants)
    stands: dict[str, Any] = {
        "baseline": names[0],
        "rest": names[0],
        "target": names[-1],
        "stage": 100,
    } | more
    return FlagState(key=key, variants=variants, **stands)


_NAMES = {"old": "old", "new": "new"}
FLAGS = (
    flag("everywhere", _NAMES),
    flag("nowhere", _NAMES, stage=0),
    flag("split", _NAMES, stage=50, unit="item"),
    flag("ranked", _NAMES, stage=50, unit="process"),
    flag("timed", _NAMES, stage=50, unit="time_slot"),
    flag("off", _NAMES, enabled=False),
    flag("switch", {"off": False, "on": True}, type="boolean"),
    flag("size", {"small": 10, "large": 5_000_000_000}, type="integer"),
    flag("ratio", {"half": 0.5, "whole": 1}, type="float"),
    flag("layout", {"wide": {"columns": [1, 2], "title": "é"}}, type="object"),
    flag("imported", _NAMES, targeting={"if": [{"==": [{"var": "plan"}, "gold"]}, "new", None]}),
    flag("broken", _NAMES, targeting={"if": [{"var": "plan"}, "no such variant", "old"]}),
)


def load(provider: FlagProvider, revision: int, *changed: FlagState) -> None:
    """FLAGS with those of the same key in their place."""
    known = {each.key: each for each in (*FLAGS, *changed)}
    provider.set_document(compiling.flag_set(known.values(), revision=revision), revision)


@pytest.fixture
def flags() -> FlagProvider:
    provider = FlagProvider()
    load(provider, 41)
    return provider


@pytest.fixture
def make(flags: FlagProvider) -> Iterator[Callable[..., Ofrep]]:
    """An application; what of it the test gives is its own."""
    made: list[Ofrep] = []

    def _make(**given: Any) -> Ofrep:
        parts: dict[str, Any] = {
            "cors": Cors(()),
            "quotas": Quotas(1_000_000, lambda: "process", variants={"process": InProcess}),
            "callers": Callers(ask=TOKENS.get),
            "streams": Streams(lambda: flags.revision, set),
        }
        made.append(Ofrep(lambda: flags, **(parts | given)))
        return made[-1]

    yield _make
    for app in made:
        app.close()


@pytest.fixture
def app(make: Callable[..., Ofrep]) -> Ofrep:
    return make()


async def ask(
    app: Ofrep,
    key: str | None = None,
    context: Any = None,
    *,
    body: bytes | None = None,
    path: str = "",
    method: str = "POST",
    query: str = "",
    secret: str | None = GOOD,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """One evaluation: of one flag, or of all."""
    sent = json.dumps({"context": context or {}}).encode() if body is None else body
    shown = {"Authorization": f"Bearer {secret}"} if secret is not None else {}
    path = path or (BULK if key is None else f"{BULK}/{key}")
    said = {"Content-Length": str(len(sent))} | shown | dict(headers or {})
    return await Call(path, method, query, said, body=[sent]).to(app)


def told(call: Call) -> dict[str, Any]:
    """The answer's body, which is JSON."""
    assert call.answered["content-type"] == "application/json"
    found: dict[str, Any] = json.loads(call.text)
    return found
