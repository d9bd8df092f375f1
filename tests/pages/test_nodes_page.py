"""The nodes' pages: where nobody reports, where somebody does, and where one was caught."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console import controls, sse
from console.access.models import AuditEntry
from console.controls import turns
from console.pages import topics as _topics  # noqa: F401 - registers them
from monitoring.snapshots import NodeReport
from tests.controls.conftest import WHY, actor
from tests.pages.conftest import Page
from validation.models import Catch, Evidence, Node, Run
from validation.nodecheck import Finding, NodeTest
from validation.rpc import NodeUrl

pytestmark = pytest.mark.django_db
type See = Callable[..., Page]

OWN = "127.0.0.1:9"
KEY = "hunter2verysecret"
SECRET = f"http://127.0.0.1:10/v3/{KEY}"
OTHER = NodeUrl.parse(SECRET).label
PAGE = f"/nodes/{OTHER.replace('#', '~')}/"
TOLD = NodeTest(
    node=OTHER,
    ms=21.0,
    findings=(
        Finding(name="answers", status="pass", said="Answered the first question after 3 ms."),
        Finding(name="proofs", status="fail", said="Does not serve eth_getProof."),
    ),
)


@pytest.fixture
def other() -> str:
    controls.add_node(actor("admin"), SECRET, reason=WHY)
    return OTHER


@pytest.fixture
def catch(made_run: Callable[..., Run]) -> Run:
    run = made_run(3, mix={"valid": ("ok", 3)})
    for ordinal in (0, 1):
        Catch.objects.create(
            label=OTHER, run=run, ordinal=ordinal, subject=f"block:{ordinal}",
            check_name="header_hash", detail="<hashes> to another",
        )  # fmt: skip
    Evidence.objects.create(run=run, ordinal=0, bundle=b"x")
    Catch.objects.create(
        label=OTHER, run_id=run.pk + 99, ordinal=1, subject="tx:0x1", check_name="receipts_root"
    )
    return run


def test_where_nobody_reports_the_wish_stands_and_no_figure_is_made_up(
    viewer: Client, see: See, other: str
) -> None:
    page = see(viewer, "/nodes/")
    assert "No worker reports" in page.text
    assert "In service · no worker reports" in page.text
    assert page.text.count("no data") >= 4
    assert {f"/nodes/{OWN}/", PAGE} <= page.hrefs()
    assert "/nodes/add/" not in page.hrefs()
    one = see(viewer, PAGE)
    assert "Nobody to acknowledge it" in one.text
    assert not any("cordon" in href for href in one.hrefs())
    assert f"{PAGE}drill/" in one.hrefs()


@pytest.mark.parametrize(
    ("chain_id", "why"),
    [
        (None, "NODE_CHAIN_ID is not set"),
        (137, "the rules of chain 137 are not known here"),
        (1, ""),
    ],
)
def test_where_nobody_can_be_caught_no_node_looks_well(
    viewer: Client, see: See, settings: Any, chain_id: int | None, why: str
) -> None:
    settings.NODE_CHAIN_ID = chain_id
    for page in (see(viewer, "/nodes/").text, see(viewer, f"/nodes/{OWN}/").text):
        assert ("ot judged" in page) is bool(why)
        assert why in page
    assert ("Never" in see(viewer, f"/nodes/{OWN}/").text) is (not why)


def test_figures_are_those_of_workers_that_are_up(
    admin: Client, see: See, other: str, worker_reports: Callable[..., None]
) -> None:
    said = NodeReport(
        label=other, in_service=True, head=21_400_000, head_age_s=2.0, lag=3, latency_p50_ms=12.0,
        latency_p95_ms=340.0, score=0.5, failures={"node_timeout": 7},
    )  # fmt: skip
    gone = NodeReport(label=OWN, in_service=True, head=21_400_003, head_age_s=90.0, lag=0)
    worker_reports(nodes=(said, gone), acknowledged=1)
    text = see(admin, "/nodes/").text.replace("\u202f", " ")
    for expected in ("21 400 003", "12 ms / 340 ms", "0.50", "1 of 1", "Unreachable · no answer"):
        assert expected in text
    text = see(admin, PAGE).text.replace("\u202f", " ")
    for expected in (
        "21 400 000",
        "3 blocks",
        "340 ms",
        "node_timeout 7",
        "Asked by 1 of 1 worker",
    ):
        assert expected in text
    assert "Acknowledged by 1 of 1" in text


def test_one_that_was_caught_says_at_what_with_links_to_what_is_kept(
    operator: Client, see: See, other: str, catch: Run
) -> None:
    Node.objects.filter(label=other).update(
        cordoned_at=timezone.now(), cordoned_by="worker w:1", cordon_reason="Caught at header_hash"
    )
    page = see(operator, "/nodes/")
    assert "Caught · cordoned" in page.text
    assert "header_hash ×2 +1 other" in page.text
    one = see(operator, PAGE)
    assert "“Caught at header_hash”" in one.text
    assert f"/validations/{catch.pk}/items/0/" in one.hrefs()
    for expected in ("kept, with the item", "the item of V-", "no longer kept", "Showing 3 of 3"):
        assert expected in one.text
    assert "<hashes> to another" in one.text
    run = see(operator, f"/validations/{catch.pk}/")
    assert "1 node was caught" in run.text
    assert f"{other} 2 times" in run.text
    assert PAGE in run.hrefs()
    controls.uncordon_node(actor(), other, reason=WHY)
    assert "Not since it was let back" in see(operator, PAGE).text
    freed = AuditEntry.objects.get(action="uncordon")
    controls.revert(actor(), freed, reason="It was let back by mistake")
    assert "Not since it was let back" not in see(operator, PAGE).text
    assert "Caught · cordoned" in see(operator, "/nodes/").text


def test_an_act_asks_first_and_can_be_undone(operator: Client, see: See, other: str) -> None:
    asked = see(operator, f"{PAGE}cordon/")
    assert "Cordoned · asked nothing" in asked.text
    refused = operator.post(f"{PAGE}cordon/", {"reason": "short"})
    assert refused.status_code == 422
    done = Page(operator.post(f"{PAGE}cordon/", {"reason": WHY}, follow=True).content.decode())
    assert "is cordoned" in done.text
    entry = AuditEntry.objects.first()
    assert entry is not None
    undo = f"/audit/{entry.pk}/revert/"
    assert undo in done.hrefs()
    asked = see(operator, undo)
    assert "cordoned After in service" in asked.text.replace("Now", "")
    operator.post(undo, {"reason": WHY})
    assert controls.place_of(other).in_service


def test_the_last_in_service_is_told_that_runs_wait(operator: Client, see: See) -> None:
    asked = see(operator, f"/nodes/{OWN}/cordon/")
    assert "runs wait" in asked.text
    assert f"Type {OWN} to confirm" in asked.text
    assert operator.post(f"/nodes/{OWN}/cordon/", {"reason": WHY}).status_code == 422
    operator.post(f"/nodes/{OWN}/cordon/", {"reason": WHY, "confirm": OWN})
    assert not controls.place_of(OWN).in_service


def test_who_was_slower_is_told(operator: Client, other: str) -> None:
    seen = controls.desired("nodes", "").revision
    controls.cordon_node(actor(name="bea"), OWN, reason=WHY)
    answer = operator.post(f"{PAGE}cordon/", {"reason": WHY, "revision": seen, "confirm": OTHER})
    assert answer.status_code == 409
    assert "bea changed this" in Page(answer.content.decode()).text


def test_adding_and_moving_and_removing(admin: Client, see: See) -> None:
    answer = admin.post("/nodes/add/", {"url": f"http://10.0.0.7/{KEY}", "reason": WHY})
    assert answer.status_code == 422
    assert "NODE_PRIVATE_NETWORKS" in answer.content.decode()
    assert KEY not in answer.content.decode()
    added = admin.post("/nodes/add/", {"url": SECRET, "reason": WHY}, follow=True)
    assert added.redirect_chain[-1][0] == PAGE
    assert KEY not in added.content.decode()
    admin.post(f"{PAGE}move/", {"reason": WHY, "place": "1"})
    assert [place.label for place in controls.places()] == [OTHER, OWN]
    assert admin.post(f"{PAGE}move/", {"reason": WHY, "place": ""}).status_code == 422
    gone = admin.post(f"{PAGE}remove/", {"reason": WHY}, follow=True)
    assert gone.redirect_chain[-1][0] == "/nodes/"
    see(admin, PAGE, 404)
    assert "NODE_URLS names it" in see(admin, f"/nodes/{OWN}/remove/").text


def test_a_row_keeps_its_id_wherever_its_node_moves(admin: Client, see: See, other: str) -> None:
    rows = re.compile(r'<tr id="(node-row-[^"]+)"')
    before = rows.findall(see(admin, "/nodes/").html)
    controls.move_node(actor("admin"), other, 1, reason=WHY)
    assert rows.findall(see(admin, "/nodes/").html) == before[::-1]
    assert len(before) == 2


def test_a_test_shows_each_question_with_its_sentence(
    admin: Client, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validation.nodecheck.examine", lambda *_, **__: TOLD)
    tested = Page(admin.post(f"{PAGE}test/").content.decode())
    assert "1 of 2 failed." in tested.text
    assert "Does not serve eth_getProof." in tested.text
    tried = admin.post(
        "/nodes/test/", {"url": "http://127.0.0.1:11/"}, headers={"HX-Request": "true"}
    )
    assert "Does not serve eth_getProof." in tried.content.decode()
    refused = admin.post("/nodes/test/", {"url": f"ftp://{KEY}@node.example"})
    assert refused.status_code == 422
    assert KEY not in refused.content.decode()


@pytest.fixture
def no_turn() -> Iterator[None]:
    """As many ask nodes as may."""
    for _ in range(turns.AT_ONCE):
        assert turns.TURNS.acquire(blocking=False)
    yield
    for _ in range(turns.AT_ONCE):
        turns.TURNS.release()


@pytest.mark.usefixtures("no_turn")
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_whoever_asks_a_node_waits_for_a_turn(
    admin: Client, other: str, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def look_up(*_: object, **__: object) -> Any:
        pytest.fail("a name was looked up without a turn")

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    named = {"url": "http://node.example/", "reason": WHY}
    for address, sent, swapped in (
        (f"{PAGE}test/", {}, 429),
        ("/nodes/add/", named, 429),
        # htmx shows what came of these, whatever came.
        (f"{PAGE}drill/", {}, 200),
        ("/nodes/test/", named, 200),
    ):
        answer = admin.post(address, sent, headers=headers)
        assert "try again in 5 s" in answer.content.decode()
        assert answer.status_code == (swapped if headers else 429)
        assert answer.status_code == 200 or answer["Retry-After"] == "5"
    # An address needs no look-up.
    added = admin.post("/nodes/add/", {"url": "http://127.0.0.1:11/", "reason": WHY})
    assert added.status_code == 302


def test_the_table_is_downloaded_and_the_topics_render(viewer: Client, other: str) -> None:
    rows = viewer.get("/nodes/?format=json")
    assert OTHER in b"".join(rows.streaming_content).decode()  # type: ignore[attr-defined]
    for topic in ("nodes", f"node:{OTHER.replace('#', '~')}"):
        ((argument, render),) = sse.parse_topics(topic).values()
        regions = render(argument, "viewer")  # type: ignore[arg-type]
        assert regions
        for name, html in regions.items():
            assert f'id="{name}"' in html
            assert KEY not in html


def test_a_run_asks_for_agreement_within_the_nodes_there_are(
    operator: Client, see: See, other: str
) -> None:
    fields = {"source": "paste", "text": "block:1", "level": ""}
    answer = operator.post("/validations/new/", {**fields, "agreement": "3"})
    assert answer.status_code == 422
    assert "ask for 2 at most" in Page(answer.content.decode()).text
    operator.post("/validations/new/", {**fields, "agreement": "2"})
    run = Run.objects.latest("id")
    assert run.agreement == 2
    assert (
        "Agreement asked 2 of 2 nodes now in service" in see(operator, run.get_absolute_url()).text
    )
    operator.post("/validations/new/", {**fields, "agreement": "1"})
    assert Run.objects.latest("id").agreement is None


def test_a_page_asks_the_database_as_often_for_many_acts_and_catches_as_for_few(
    admin: Client, other: str
) -> None:
    def caught(ordinal: int) -> None:
        Catch.objects.create(
            label=other, run_id=ordinal + 1_000, ordinal=ordinal, subject="head", check_name="hash"
        )

    def queries(page: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(page).status_code == 200
        return len(captured)

    pages = ("/nodes/", PAGE, "/")
    caught(0)
    few = {page: queries(page) for page in pages}
    for ordinal in range(1, 50):
        caught(ordinal)
    for _ in range(6):
        controls.cordon_node(actor(), other, reason=WHY)
        controls.uncordon_node(actor(), other, reason=WHY)
    assert {page: queries(page) for page in pages} == few
