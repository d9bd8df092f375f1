"""The page of one item: the ladder, what was compared, where the time went, and its proof."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console import afresh
from console.controls import turns
from tests.evidence.worlds import chain, made, subjects
from tests.pages.conftest import Page
from tests.records import check_fields
from validation import evidence
from validation.checkpoint import Checkpoint
from validation.devnode import serve
from validation.devnode.app import create_app
from validation.devnode.controls import Controls, Settings
from validation.engine import Engine
from validation.models import Catch, Evidence, Item, Node, Result, Run, RunState
from validation.rpc import NodeUrl, RpcConfig
from validation.second_opinion import _OneNode

type See = Callable[..., Page]

FAILED = [
    {"name": "answered", "status": "pass", "detail": ""},
    {"name": "well_formed", "status": "pass", "detail": ""},
    {
        "name": "hash",
        "status": "fail",
        "detail": "computed 0xaa, the node says 0xbb",
        "computed": "0x" + "aa" * 32,
        "claimed": "0x" + "bb" * 32,
    },
    {"name": "signature", "status": "skip", "detail": "nothing here can verify type 0x9"},
]


@pytest.fixture
def item(people: dict[str, Any]) -> Callable[..., Run]:
    """A run of one item with a result."""

    def make(text: str = "", *, checks: list[dict[str, str]] | None = None, **result: Any) -> Run:
        run = Run.objects.create(
            state=RunState.DONE,
            title="One",
            total=1,
            level=2,
            origin="page",
            started_at=timezone.now(),
            finished_at=timezone.now(),
        )
        text = text or subjects()["tx"]
        Item.objects.create(run_id=run.pk, ordinal=0, subject=text)
        told = {
            "verdict": "invalid",
            "level": 1,
            "reason": "hash_mismatch",
            "node": "node-1:8545",
            "ms": 12.5,
        }
        Result.objects.create(
            run_id=run.pk,
            ordinal=0,
            subject=text,
            **(told | result),
            **check_fields(FAILED if checks is None else checks),
        )
        return run

    return make


@pytest.fixture
def node() -> Iterator[str]:
    """The demo node on a socket."""
    with _serving(Controls()) as url:
        yield url


@contextmanager
def _serving(controls: Controls) -> Iterator[str]:
    accepting = threading.Event()
    server = serve.server(create_app(chain(), controls), accepting.set)
    with serve.listening("127.0.0.1", 0) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            assert accepting.wait(10)
            yield serve.address_of(bound)
        finally:
            server.should_exit = True
            thread.join(10)


def _url(run: Run, what: str = "") -> str:
    return f"/validations/{run.pk}/items/0/{what}"


def test_the_ladder_says_of_each_level_how_it_stands(
    item: Callable[..., Run], viewer: Client, see: See
) -> None:
    text = see(viewer, _url(item())).text
    for said in (
        "0 answered Reached Its check passed.",
        "1 well-formed Reached Its check passed.",
        "2 self-consistent Failed 0 of 2 checks passed, 1 failed, 1 skipped.",
        "The transaction's content does not hash to its hash.",
        "3 in its block Not tried Level 2 settled it.",
    ):
        assert said in text


def test_a_check_that_failed_shows_both_values_whole(
    item: Callable[..., Run], viewer: Client, see: See
) -> None:
    page = see(viewer, _url(item()))
    assert f"computed here {'0x' + 'aa' * 32}" in page.text
    assert f"the node says {'0x' + 'bb' * 32}" in page.text
    assert "Skipped: nothing here can verify type 0x9" in page.text
    # The rung that failed is open, those that passed are not.
    rungs = page.all("details")[-3:]
    assert ["open" in attrs for attrs in rungs] == [False, False, True]


def test_a_check_that_passed_shows_what_was_compared_by_its_ends(
    item: Callable[..., Run], viewer: Client, see: See
) -> None:
    same = "0x" + "cd" * 32
    checks = [{"name": "hash", "status": "pass", "detail": "", "computed": same, "claimed": same}]
    run = item(checks=checks, verdict="valid", level=2, reason="ok")
    page = see(viewer, _url(run))
    assert "computed = claimed 0xcdcdcdcd…cdcdcdcd" in page.text
    assert same in page.text
    assert len(page.ids()) == len(set(page.ids()))


def test_where_the_time_went_is_drawn_where_it_was_recorded(
    item: Callable[..., Run], viewer: Client, see: See
) -> None:
    run = item()
    spans = [
        {"name": "queue", "at_ms": 0.0, "ms": 2.0, "node": "", "note": ""},
        {"name": "attempt", "at_ms": 2.0, "ms": 3.0, "node": "node-1:8545", "note": "node_timeout"},
        {"name": "attempt", "at_ms": 5.0, "ms": 5.0, "node": "node-2:8545", "note": ""},
        {"name": "check:hash", "at_ms": 10.0, "ms": 0.5, "node": "", "note": ""},
    ]
    Evidence.objects.create(run_id=run.pk, ordinal=0, spans=spans)
    page = see(viewer, _url(run))
    assert "Asked the node" in page.text
    assert "node-1:8545 · node_timeout" in page.text
    assert "1 checks, 0.5" in page.text.replace("\u202f", " ")
    bars = [attrs for attrs in page.all("rect") if attrs.get("height") == "10" and "x" in attrs]
    assert [bar["class"] for bar in bars] == [
        *("shade-3", "fill-open", "shade-1", "shade-4"),
        "shade-2",
    ]
    assert (bars[1]["x"], bars[1]["width"]) == ("16.00", "24.00")  # of the item's 12.5 ms
    assert "Not told apart 2.0 ms" in page.text.replace("\u202f", " ")


def test_it_says_so_where_it_was_not(item: Callable[..., Run], viewer: Client, see: See) -> None:
    assert "Not kept: stretches of time are recorded" in see(viewer, _url(item())).text


def test_agreement_names_who_said_what(item: Callable[..., Run], viewer: Client, see: See) -> None:
    agreement = {
        "asked": 2,
        "agreed": ["node-1:8545"],
        "differs": [{"node": "node-2:8545", "said": "value 0x2"}],
        "silent": [{"node": "node-3:8545", "said": "node_timeout"}],
    }
    text = see(viewer, _url(item(agreement=agreement))).text
    assert "2 nodes had to say the same" in text
    assert "node-2:8545 said value 0x2" in text
    assert "node-3:8545 : node_timeout" in text


def test_a_node_that_was_caught_is_named(
    item: Callable[..., Run], viewer: Client, see: See
) -> None:
    run = item()
    Catch.objects.create(
        label="node-1:8545", run=run, ordinal=0, subject="x", check_name="hash", detail="it lied"
    )
    assert "Caught with this item" in see(viewer, _url(run)).text


def test_it_escapes_what_a_node_said(item: Callable[..., Run], viewer: Client, see: See) -> None:
    evil = "<script>alert(1)</script>"
    checks = [{"name": "hash", "status": "fail", "detail": evil, "computed": evil, "claimed": "x"}]
    page = see(viewer, _url(item(checks=checks)))
    assert evil not in page.html


# -- the proof


async def _kept() -> bytes:
    _, packed = await made(subjects()["tx"], 2)
    return packed


@pytest.fixture
def packed() -> bytes:
    return asyncio.run(_kept())


def test_a_kept_proof_is_anybodys_to_read(
    item: Callable[..., Run], viewer: Client, see: See, packed: bytes
) -> None:
    run = item()
    Evidence.objects.create(run_id=run.pk, ordinal=0, bundle=packed)
    assert "Kept proof" in see(viewer, _url(run)).text
    answer = viewer.get(_url(run, "proof/"))
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="V-{run.pk}-0.proof.json"'
    assert evidence.verify(answer.content).same


def test_a_viewer_starts_no_work(item: Callable[..., Run], viewer: Client, see: See) -> None:
    run = item()
    page = see(viewer, _url(run))
    assert "that needs the role operator, and yours is viewer" in page.text
    assert not any("/again/" in (form.get("action") or "") for form in page.all("form"))
    assert "No proof is kept of this item" in see(viewer, _url(run, "proof/"), 404).text
    assert viewer.post(_url(run, "proof/")).status_code == 403
    assert viewer.post(_url(run, "again/")).status_code == 403


def test_verifying_again_shows_what_it_comes_to_beside_what_stands(
    item: Callable[..., Run], operator: Client, node: str
) -> None:
    run = item()
    Run.objects.filter(pk=run.pk).update(node_urls=[node])
    page = Page(operator.post(_url(run, "again/")).content.decode())
    assert "Verified again" in page.text
    assert "What stands Invalid" in page.text
    assert "Now Valid" in page.text
    assert "hash Fail Pass" in page.text
    assert "Where the time went now" in page.text
    assert Result.objects.get(run_id=run.pk).verdict == "invalid"
    assert len(page.ids()) == len(set(page.ids()))


def test_what_was_compared_then_and_now_is_each_copied_by_its_own_button(
    item: Callable[..., Run], operator: Client, node: str
) -> None:
    then = "0x" + "cd" * 32
    checks = [{"name": "hash", "status": "pass", "detail": "", "computed": then, "claimed": then}]
    run = item(checks=checks, verdict="valid", level=2, reason="ok")
    Run.objects.filter(pk=run.pk).update(node_urls=[node])
    page = Page(operator.post(_url(run, "again/")).content.decode())
    copied = [name for button in page.all("button") if (name := button.get("data-copies"))]
    assert {"then-hash", "now-hash"} <= set(copied)
    assert set(copied) <= set(page.ids())
    assert len(page.ids()) == len(set(page.ids()))


def test_another_node_is_asked_before_one_is_accused_and_the_proof_verifies(
    item: Callable[..., Run],
    operator: Client,
    node: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = chain().latest
    settings.CHECKPOINT = Checkpoint(block, chain().blocks[block])
    settings.NODE_CHAIN_ID = chain().chain_id
    made_on = Engine.on

    def asking_the_first(config: RpcConfig) -> Engine:
        engine = made_on(config)
        return replace(engine, fetcher=_OneNode(engine.client, config.nodes[0].label))

    monkeypatch.setattr(Engine, "on", asking_the_first)
    with _serving(Controls(settings=Settings(lie="tx-value"))) as liar:
        run = item()
        Run.objects.filter(pk=run.pk).update(node_urls=[liar, node], level=4)
        page = Page(operator.post(_url(run, "again/")).content.decode())
        assert "Now Valid" in page.text
        answer = operator.post(_url(run, "proof/"))
        told = json.loads(answer.content)["outcome"]
        assert (told["verdict"], told["level"]) == ("valid", 4)
        assert {each["node"] in liar for each in told["caught"]} == {True}
        assert evidence.verify(answer.content).differences == ()
        Run.objects.filter(pk=run.pk).update(node_urls=[liar])
        alone = json.loads(operator.post(_url(run, "proof/")).content)["outcome"]
        assert (alone["verdict"], alone["level"]) == ("invalid", 1)


def test_a_proof_is_made_on_demand_and_verifies(
    item: Callable[..., Run], operator: Client, node: str
) -> None:
    run = item()
    Run.objects.filter(pk=run.pk).update(node_urls=[node])
    answer = operator.post(_url(run, "proof/"))
    assert answer.status_code == 200
    finding = evidence.verify(answer.content)
    assert finding.same
    assert (finding.outcome.verdict, finding.bundle.level) == ("valid", 2)
    assert json.loads(answer.content)["exchanges"][0]["node"] in node


def test_only_looked_at_the_address_of_a_proof_asks_no_node(
    item: Callable[..., Run], operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afresh, "examine", lambda *_, **__: pytest.fail("a node was asked"))
    run = item()
    assert "The button Proof bundle makes one" in see(operator, _url(run, "proof/"), 404).text
    assert operator.get(_url(run, "proof/?now=1")).status_code == 404
    assert operator.head(_url(run, "proof/")).status_code == 404


def test_who_asks_nodes_for_anything_takes_a_turn_of_all(
    item: Callable[..., Run], operator: Client
) -> None:
    run = item()
    with turns.turn(), turns.turn():
        answer = operator.post(_url(run, "again/"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_more_than_two_at_once_are_asked_to_come_back(
    item: Callable[..., Run], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afresh, "_turns", threading.BoundedSemaphore(1))
    run = item()
    with afresh._turn():
        for answer in (operator.post(_url(run, "again/")), operator.post(_url(run, "proof/"))):
            assert answer.status_code == 503
            assert answer["Retry-After"] == "5"
            assert "try again in 5 s" in answer.content.decode()


def test_no_node_that_answers_is_said(item: Callable[..., Run], operator: Client) -> None:
    run = item()
    Run.objects.filter(pk=run.pk).update(node_urls=["http://127.0.0.1:9"])
    page = Page(operator.post(_url(run, "proof/")).content.decode())
    assert "There is no proof of an error" in page.text


def test_a_node_that_does_not_answer_in_time_is_not_waited_for(item: Callable[..., Run]) -> None:
    with _serving(Controls(settings=Settings(timeout_rate=1.0))) as url:
        run = item()
        run.node_urls = [url]
        with pytest.raises(afresh.NoAnswer, match=r"within 0\.2 s"):
            afresh.examine(run, subjects()["tx"], limit_s=0.2)
    with afresh._turn(), afresh._turn():
        pass  # its turn was given back


def test_a_name_that_is_not_resolved_in_time_is_not_waited_for(
    item: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver, answer = threading.Event(), socket.getaddrinfo

    def hang(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "node.example":
            return answer(host, *args, **kwargs)
        resolver.wait(30)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    run = item()
    run.node_urls = ["http://node.example:8545"]
    started = time.monotonic()
    try:
        with pytest.raises(afresh.NoAnswer, match=r"node\.example:8545 did not answer.* 0\.2 s"):
            afresh.examine(run, subjects()["tx"], limit_s=0.2)
        assert time.monotonic() - started < 10
    finally:
        resolver.set()
    with afresh._turn(), afresh._turn():
        pass  # its turn was given back


def test_a_defect_of_verifying_again_is_no_node_that_is_late(
    item: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def defective(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(afresh, "_examine", defective)
    run = item()
    run.node_urls = ["http://10.0.0.1:8545"]
    with pytest.raises(ZeroDivisionError):
        afresh.examine(run, subjects()["tx"])


def test_it_asks_the_nodes_that_are_in_service(item: Callable[..., Run], settings: Any) -> None:
    settings.NODES = tuple(NodeUrl.parse(f"http://10.0.0.{n}:8545") for n in (1, 2))
    run = item()
    Node.objects.create(label="10.0.0.1:8545", cordoned_at=timezone.now())
    Node.objects.create(label="10.0.0.3:8545", url="http://10.0.0.3:8545", position=9)
    Node.objects.create(label="10.0.0.4:8545", url="gopher://10.0.0.4")  # of another release
    Node.objects.create(label="10.0.0.9:8545")  # of NODE_URLS of another time
    Node.objects.create(label="bad:1", url="http://[::bad")  # of another release
    assert [node.label for node in afresh.nodes_of(run)] == ["10.0.0.2:8545", "10.0.0.3:8545"]
    run.node_urls = ["http://10.0.0.7:8545"]
    assert [node.label for node in afresh.nodes_of(run)] == ["10.0.0.7:8545"]
