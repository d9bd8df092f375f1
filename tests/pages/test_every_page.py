"""What holds for all pages: policy, links, landmarks, titles, regions, bounded queries."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console import controls, runbooks
from console.access.models import AuditEntry
from console.access.roles import Role
from console.controls import Actor
from console.hub import Channel
from console.pages import flag_acts, node_acts, rollout_acts, topics
from console.pages.breaker_acts import ACTS
from console.roadmap.gates import standing
from tests import made_up_alerts, made_up_database, made_up_fleet
from tests.pages.conftest import Page
from validation.models import Run, RunState

See = Callable[..., Page]
MIX = {"valid": ("ok", 4), "invalid": ("hash_mismatch", 1), "error": ("node_timeout", 1)}
BREAKER = f"/breakers/{made_up_fleet.LOOKUP}/"
NODE = f"/nodes/{made_up_fleet.POOL}/"
FLAG = "/flags/breaker.window/"
_OF_FLAGS = (*flag_acts.ACTS, "freeze", "thaw", "edit", "delete")
_BAD_LINES = [{"line": 3, "text": "hello <b>", "reason": "no subject"}]


@pytest.fixture
def addresses(made_run: Callable[..., Run], worker_reports: Callable[..., None]) -> list[str]:
    """One address of every page, with something to show on each."""
    done = made_run(10, mix=MIX)
    running = made_run(10, state=RunState.RUNNING, mix=MIX)
    draft = made_run(3, state=RunState.DRAFT, malformed=_BAD_LINES, malformed_count=1)
    worker_reports(run=running.pk, busy=True)
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(3))
    made_up_database.publish_all()
    changed = _changed_by_an_admin()
    alert = made_up_alerts.raise_some()
    return [
        "/",
        "/validations/",
        "/validations/?state=done&q=some&sort=largest",
        "/validations/?q=nothing+is+named+so",
        "/validations/new/",
        f"/validations/{done.pk}/",
        f"/validations/{done.pk}/?verdict=not_valid",
        f"/validations/{done.pk}/items/0/",
        f"/validations/{done.pk}/items/9/",
        f"/validations/{done.pk}/retry/",
        f"/validations/{running.pk}/",
        f"/validations/{running.pk}/cancel/",
        f"/validations/{draft.pk}/",
        f"/validations/{draft.pk}/discard/",
        "/workers/",
        "/breakers/",
        "/breakers/?state=open&q=lookup&sort=p95",
        BREAKER,
        f"{BREAKER}?range=6h",
        *(f"{BREAKER}{act}/" for act in ACTS),
        "/nodes/",
        "/nodes/add/",
        NODE,
        *(f"{NODE}{act}/" for act in node_acts.ACTS),
        "/flags/?area=breaker",
        FLAG,
        *(f"{FLAG}{act}/" for act in _OF_FLAGS),
        *(f"{FLAG}{act}/" for act in ("ramp", "rehearse", "hold", "abort")),
        *(f"/roadmap/1.6/{act}" for act in ("", "measure/", "edit/")),
        *(f"/flags/-/{act}/" for act in ("add", "import", "freeze", "thaw")),
        "/pools/",
        "/database/",
        "/capacity/",
        "/capacity/?workers=40",
        "/database/?range=24h",
        "/caches/",
        "/caches/purge/",
        "/caches/resize/",
        "/roadmap/",
        "/roadmap/?view=list&phase=roadmap.1",
        "/roadmap/?q=hello",
        *(f"/roadmap/?view={view}" for view in ("targets", "decisions", "costs")),
        "/find/",
        "/find/?q=roadmap",
        "/alerts/",
        *(f"/alerts/{alert}/{act}" for act in ("", "acknowledge/")),
        "/alerts/silences/add/",
        *(f"/alerts/runbooks/{name}/" for name in runbooks.names()),
        "/audit/",
        "/audit/?range=1h&who=amina&kind=breaker&q=hello",
        "/audit/?q=nothing+is+named+so",
        f"/audit/{changed}/revert/",
        "/settings/tokens/",
    ]


def _changed_by_an_admin() -> int:
    """The audit row of a change that holds, with a reason that a page must escape."""
    actor = Actor(name="<b>amina", role=Role.ADMIN, origin="page")
    controls.override_breaker(
        actor, made_up_fleet.LOOKUP, "metrics_only", reason="hello <b> is its reason"
    )
    return AuditEntry.objects.get().pk


@pytest.fixture
def pages(admin: Client, see: See, addresses: list[str]) -> dict[str, Page]:
    return {address: see(admin, address) for address in addresses}


def test_nothing_is_inline(pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        for tag, attrs in page.tags:
            assert tag != "style", address
            # Data for a script is none: nothing of it is run.
            is_data = attrs.get("type") == "application/json"
            assert tag != "script" or attrs.get("src") or is_data, address
            handlers = [name for name in attrs if name == "style" or name.startswith("on")]
            assert not handlers, (address, tag, attrs)
        assert "javascript:" not in page.html, address


def test_every_link_leads_somewhere(admin: Client, pages: dict[str, Page]) -> None:
    # Each is followed once, from one of the pages that name it.
    found = {
        urljoin(address, href): address for address, page in pages.items() for href in page.hrefs()
    }
    assert len(found) > 40
    alike = [href for href in found if re.fullmatch(r"/roadmap/[a-z0-9]+(\.[a-z0-9]+)+/", href)]
    for href in alike[12:]:  # a page of a hundred; tests/pages/test_optimisation_page.py has more
        del found[href]
    for href, address in found.items():
        assert not urlsplit(href).netloc, (address, href)
        response = admin.get(href)
        assert response.status_code == 200, (address, href)
        if response.streaming:
            b"".join(response)


def test_every_static_file_exists(pages: dict[str, Page]) -> None:
    root = settings.BASE_DIR / "static"
    wanted = set()
    for page in pages.values():
        wanted |= set(re.findall(r'(?:src|href)="/static/([^"#]+)', page.html))
    assert "vendor/htmx-4.0.1/htmx-sse.js" in wanted
    assert [name for name in wanted if not (root / name).is_file()] == []


def test_every_icon_and_glyph_is_drawn(pages: dict[str, Page]) -> None:
    for page in pages.values():
        for name, icon in re.findall(r'<use href="/static/([^"#]+)#([^"]+)"', page.html):
            assert f'<symbol id="{icon}"' in (settings.BASE_DIR / "static" / name).read_text()


def test_landmarks_titles_and_unique_ids(pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        assert len(page.all("main")) == 1, address
        assert len(page.all("h1")) == 1, address
        assert page.all("html")[0]["lang"] == "en"
        ids = page.ids()
        assert len(ids) == len(set(ids)), (address, [i for i in ids if ids.count(i) > 1])
        assert "main" in ids
        assert '<a class="skip" href="#main">' in page.html


def test_every_control_has_a_name(pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        labelled = {attrs.get("for") for attrs in page.all("label")}
        for tag in ("input", "select", "textarea"):
            for attrs in page.all(tag):
                if attrs.get("type") in {"hidden", "radio", "checkbox"}:
                    continue  # hidden, or wrapped in its label
                assert attrs.get("id") in labelled, (address, attrs)


def test_what_people_wrote_is_escaped(pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        assert "hello <b>" not in page.html, address
        assert "computed <0xab>" not in page.html, address


def test_answers_are_private_and_vary(admin: Client, addresses: list[str]) -> None:
    for address in addresses:
        response = admin.get(address)
        assert response["Cache-Control"] == "no-store"
        assert "HX-Request" in response["Vary"]
        assert "script-src 'self'" in response["Content-Security-Policy"]


def test_an_anonymous_caller_is_sent_to_sign_in(client: Client, addresses: list[str]) -> None:
    for address in addresses:
        response = client.get(address)
        assert (response.status_code, response["Location"][:9]) == (302, "/sign-in/"), address


def test_a_viewer_sees_but_is_offered_no_act(viewer: Client, addresses: list[str]) -> None:
    for address in addresses:
        response = viewer.get(address)
        if any(f"/{word}/" in address for word in _ACTS):
            assert response.status_code == 403, address
            continue
        page = Page(response.content.decode())
        forms = {attrs.get("action") for attrs in page.all("form") if attrs.get("method") == "post"}
        assert forms == {"/settings/theme/", "/sign-out/"}, address
        assert not [h for h in page.hrefs() if any(f"/{act}/" in h for act in _ACTS)], address


_ACTS = (
    *("new", "retry", "cancel", "discard", "tokens"),
    *("purge", "resize", "revert", "acknowledge", *ACTS),
    *("add", *node_acts.ACTS),
    *("import", *_OF_FLAGS),
    *("ramp", "rehearse", "measure", *rollout_acts.ACTS),
)


@pytest.mark.parametrize("act", ["start", "discard", "cancel", "retry"])
def test_a_viewer_may_do_nothing(viewer: Client, made_run: Callable[..., Run], act: str) -> None:
    run = made_run(5, state=RunState.DRAFT if act in {"start", "discard"} else RunState.RUNNING)
    assert viewer.post(f"/validations/{run.pk}/{act}/").status_code == 403
    run.refresh_from_db()
    assert run.state in {RunState.DRAFT, RunState.RUNNING}


def test_a_form_without_its_token_is_refused(
    people: dict[str, Any], made_run: Callable[..., Run]
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people["operator"])
    run = made_run(5, state=RunState.RUNNING)
    assert strict.post(f"/validations/{run.pk}/cancel/").status_code == 403
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_queries_do_not_grow_with_rows(
    admin: Client, made_run: Callable[..., Run], worker_reports: Callable[..., None]
) -> None:
    def queries(address: str) -> int:
        standing.forget()  # kept for ten seconds, it would be asked for in one look alone
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(address).status_code == 200
        return len(captured)

    first = made_run(3, mix={"valid": ("ok", 1), "error": ("node_timeout", 1)})
    made_run(5, state=RunState.RUNNING, mix=MIX | {"valid": ("ok", 1)})
    worker_reports()
    engine = ("/breakers/", BREAKER, "/pools/", "/caches/", "/workers/", "/flags/", FLAG)
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(1))
    few = {a: queries(a) for a in ("/", "/validations/", f"/validations/{first.pk}/", *engine)}
    big = made_run(60, mix={"valid": ("ok", 30), "error": ("node_timeout", 25)})
    for n in range(6):
        made_run(12, mix=MIX)
        made_run(12, state=RunState.RUNNING, mix=MIX)
        worker_reports(id=f"rack-4:{n}", pid=n)
    assert queries("/") == few["/"]
    assert queries("/validations/") == few["/validations/"]
    assert queries(f"/validations/{big.pk}/") == few[f"/validations/{first.pk}/"]
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(9))
    for address in engine:
        assert queries(address) == few[address], address
    # One look at history with limits of its own, four statements, among them; one at rollouts by
    # Postgres' clock; and one at when alerts were last looked for.
    assert max(few.values()) <= 23, few


def test_each_live_region_is_an_element_of_its_page(
    admin: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(10, state=RunState.RUNNING, mix=MIX)
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(3))
    pages = {
        "/": topics.render_overview("", Role.ADMIN),
        f"/validations/{run.pk}/": topics.render_run(str(run.pk), Role.ADMIN),
        "/validations/": topics.render_runs("", Role.ADMIN),
        "/workers/": topics.render_workers("", Role.ADMIN),
        "/breakers/": topics.render_breakers("", Role.ADMIN),
        BREAKER: topics.render_breaker(made_up_fleet.LOOKUP, Role.ADMIN),
        "/pools/": topics.render_pools("", Role.ADMIN),
        "/caches/": topics.render_caches("", Role.ADMIN),
        "/capacity/": topics.render_capacity("", Role.ADMIN),
        "/database/": topics.render_database("", Role.ADMIN),
        "/roadmap/": topics.render_roadmap("", Role.ADMIN),
    }
    for address, regions in pages.items():
        page = see(admin, address)
        # The hub takes them all: what it refuses reaches nobody.
        stream = Channel("t", "", Role.ADMIN, lambda *_: regions)  # noqa: B023 - asked in this turn
        assert stream.take(regions) == list(regions), address
        for name, html in regions.items():
            assert page.ids().count(name) == 1, (address, name)
            pushed = Page(html)
            assert pushed.tags[0][1]["id"] == name
            assert "csrfmiddlewaretoken" not in html


def test_a_topic_shows_a_viewer_no_act(made_run: Callable[..., Run]) -> None:
    run = made_run(10, state=RunState.RUNNING, mix=MIX)
    assert "/cancel/" in topics.render_run(str(run.pk), Role.OPERATOR)["run-actions"]
    assert "/cancel/" not in topics.render_run(str(run.pk), Role.VIEWER)["run-actions"]


def test_a_topic_of_no_run_is_empty(made_run: Callable[..., Run]) -> None:
    draft = made_run(3, state=RunState.DRAFT)
    assert topics.render_run("999999", Role.ADMIN) == {}
    assert topics.render_run(str(draft.pk), Role.ADMIN) == {}
