"""The audit page: what was done, found by its address, exported, taken back; and its chain."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from console import alerts, controls
from console.access import watch
from console.access.audit import Actor
from console.access.models import AuditCheck, AuditEntry
from console.access.roles import Role
from console.pages import audit, topics
from console.pages.audit import moment
from tests.made_up_alerts import raised
from tests.pages.conftest import Page

See = Callable[..., Page]
AUDIT = "/audit/"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def _actor(name: str, **more: str) -> Actor:
    return Actor(name=name, role=Role.ADMIN, **({"origin": "page"} | more))


@pytest.fixture
def acts(db: None) -> list[AuditEntry]:
    """Oldest first: two of a breaker, one of L1, a purge."""
    ada = _actor("ada", source="192.0.2.7", trace_id=TRACE)
    bea = _actor("bea@rack-4", origin="cli", source="bea@rack-4")
    controls.override_breaker(ada, "l2", "metrics_only", reason="It trips on a slow disk")
    controls.override_breaker(bea, "l2", "disabled", reason="=HYPERLINK(0) is my reason")
    controls.resize_l1(ada, {"max_entries": 500}, reason="Memory is short today")
    controls.purge(ada, "head", reason="A reorganisation was seen", confirm="head")
    return list(AuditEntry.objects.order_by("id"))


def shown(page: Page) -> list[int]:
    ids = [(attrs.get("id") or "") for attrs in page.all("tr")]
    return [int(name.removeprefix("entry-")) for name in ids if name.startswith("entry-")]


def test_what_was_done_about_alerts_says_what_and_until_when(viewer: Client, see: See) -> None:
    ada = _actor("ada")
    alert = raised("node.down", subject="n1")
    begins = timezone.now().replace(hour=22, minute=5, second=0) + timedelta(days=1)
    alerts.acknowledge(ada, alert.pk, reason="I am on my way to it")
    known = alerts.silence(
        ada, rule="db.pool_used", subject="db.*", for_s=900, reason="The pool is resized"
    )
    alerts.end_silence(ada, known.pk, reason="The pool is resized now")
    alerts.silence(
        ada, group="cache", kind="maintenance", for_s=3600, begins_at=begins,
        reason="The cache is exchanged",
    )  # fmt: skip
    alerts.silence(ada, kind="maintenance", for_s=3600, reason="All of it is moved")
    now = f"{known.begins_at:%Y-%m-%d %H:%M}"
    planned = f"{begins:%Y-%m-%d %H:%M} until {begins + timedelta(hours=1):%H:%M} UTC"
    for path in (AUDIT, "/"):
        page = see(viewer, path)
        for said in (
            "not acknowledged → acknowledged by ada",
            f"told → db.pool_used of db.* silenced from {now} until ",
            f"→ told again since {now[:10]} ",
            f"told → all of cache in maintenance from {planned}",
            "told → everything in maintenance from ",
            "The pool is resized",
        ):
            assert said in page.text, (path, said)
        assert "auto" not in page.text.split("Recent changes")[-1]
    assert f"/alerts/{alert.pk}/" in see(viewer, AUDIT).hrefs()


def test_a_row_says_who_what_why_from_where_and_what_became_of_it(
    viewer: Client, see: See, acts: list[AuditEntry]
) -> None:
    page = see(viewer, AUDIT)
    assert shown(page) == [entry.pk for entry in reversed(acts)]
    said_of_all = (
        *("ada", "192.0.2.7", TRACE, "It trips on a slow disk", "auto → metrics only"),
        *("→ disabled until", "admin by cli", "Purged", f"{acts[0].revision}"),
    )
    for said in said_of_all:
        assert said in page.text, said
    assert "/breakers/l2/" in page.hrefs()
    assert not [href for href in page.hrefs() if "revert" in href]  # a viewer's page


def test_only_the_newest_act_on_a_target_is_taken_back_whatever_the_search_shows(
    operator: Client, see: See, acts: list[AuditEntry]
) -> None:
    first, second, resize, _ = acts

    def reverts(query: str) -> set[str]:
        return {href for href in see(operator, AUDIT + query).hrefs() if "revert" in href}

    assert reverts("") == {f"/audit/{second.pk}/revert/", f"/audit/{resize.pk}/revert/"}
    assert reverts("?who=ada") == {f"/audit/{resize.pk}/revert/"}
    assert first.pk in shown(see(operator, f"{AUDIT}?who=ada"))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"who": "ADA"}, [3, 2, 0]),
        ({"kind": "breaker"}, [1, 0]),
        ({"action": "purge"}, [3]),
        ({"target": "l2", "who": "bea"}, [1]),
        ({"q": "slow disk"}, [0]),
        ({"q": TRACE[:8], "kind": "l1"}, [2]),
        ({"q": "192.0.2"}, [3, 2, 0]),
        ({"q": "DISK slo"}, [0]),
        ({"q": "low disk"}, []),
        ({"q": "rack-4"}, [1]),
        ({"q": "4-rack"}, []),
        ({"q": "' & !:* \\"}, []),
        ({"who": "rack"}, [1]),
        ({"range": "15m"}, [3, 2, 1, 0]),
        ({"to": "2020-01-01"}, []),
        ({"from": "2020-01-01T10:00", "to": "2999-01-01"}, [3, 2, 1, 0]),
        ({"from": "2999-01-01"}, []),
        ({"from": "soon", "range": "3w", "before": "x", "who": "\x00"}, [3, 2, 1, 0]),
    ],
)
def test_the_address_says_what_is_shown(
    viewer: Client, see: See, acts: list[AuditEntry], asked: dict[str, str], found: list[int]
) -> None:
    page = see(viewer, f"{AUDIT}?{urlencode(asked)}")
    assert shown(page) == [acts[n].pk for n in found]
    if not found:
        assert "None match" in page.text
    else:
        assert f"Showing {len(found)} of {len(found)}" in page.text


def test_ends_of_days_and_minutes_belong_to_them() -> None:
    day, minute = moment("2026-11-21", is_end=True), moment("2026-11-21T10:05", is_end=True)
    exact = moment("2026-11-21T10:05:07+02:00", is_end=True)
    assert day is not None
    assert minute is not None
    assert exact is not None
    assert day.isoformat() == "2026-11-21T23:59:59.999999+00:00"
    assert minute.isoformat() == "2026-11-21T10:05:59.999999+00:00"
    assert exact.isoformat() == "2026-11-21T10:05:07+02:00"
    assert moment("9999-12-31", is_end=True) is None


def test_pages_go_by_key_so_that_new_acts_shift_nothing(
    viewer: Client, see: See, acts: list[AuditEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    first = see(viewer, f"{AUDIT}?range=24h")
    assert shown(first) == [acts[3].pk, acts[2].pk]
    [older] = {href for href in first.hrefs() if "before=" in href}
    controls.release_breaker(_actor("cy"), "l2", reason="a new act meanwhile")
    second = see(viewer, older)
    assert shown(second) == [acts[1].pk, acts[0].pk]
    assert "range=24h" in second.html
    assert not {href for href in second.hrefs() if "before=" in href}
    assert f"{AUDIT}?range=24h" in second.hrefs()


def test_nothing_yet_is_said_otherwise_than_no_match(viewer: Client, see: See) -> None:
    page = see(viewer, AUDIT)
    assert "No act yet" in page.text
    assert "None match" in see(viewer, f"{AUDIT}?q=x").text or "No act yet" in page.text


def test_an_export_has_all_that_is_asked_for_and_no_formula(
    viewer: Client, acts: list[AuditEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "EXPORT_PAGE", 2)
    answer = viewer.get(f"{AUDIT}?format=csv")
    rows = list(csv.DictReader(StringIO(b"".join(answer).decode())))
    assert [int(row["id"]) for row in rows] == [entry.pk for entry in reversed(acts)]
    assert rows[2]["reason"] == "'=HYPERLINK(0) is my reason"
    assert json.loads(rows[3]["after"])["mode"] == "metrics_only"
    found = json.loads(b"".join(viewer.get(f"{AUDIT}?format=json&who=ada")))
    assert [row["id"] for row in found] == [acts[3].pk, acts[2].pk, acts[0].pk]
    last = found[-1]
    assert (last["after"]["mode"], last["trace_id"]) == ("metrics_only", TRACE)
    assert (last["position"], last["hash"]) == (acts[0].position, acts[0].hash)
    assert last["at"] == acts[0].at.isoformat(timespec="microseconds")


def test_the_page_says_whether_the_chain_is_whole(
    viewer: Client, see: See, acts: list[AuditEntry]
) -> None:
    assert "Not checked yet" in see(viewer, AUDIT).text
    watch.check()
    page = see(viewer, AUDIT)
    assert "Whole" in page.text
    assert f"to row {acts[-1].position}" in page.text
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE access_auditentry SET actor = 'eve' WHERE id = %s", [acts[1].pk])
    watch.check()
    broken = see(viewer, AUDIT)
    assert "Broken · edited" in broken.text
    assert f"entry {acts[1].pk} at position" in broken.text.lower()
    AuditCheck.objects.update(fault="", checked_at=timezone.now() - timedelta(minutes=5))
    assert "Not checked lately" in see(viewer, AUDIT).text


def test_a_tab_is_told_of_new_acts(acts: list[AuditEntry]) -> None:
    regions = topics.render_audit("", Role.VIEWER)
    assert set(regions) == {"audit-chain", "audit-pulse"}
    before = regions["audit-pulse"]
    controls.release_breaker(_actor("cy"), "l2", reason="a new act meanwhile")
    assert topics.render_audit("", Role.VIEWER)["audit-pulse"] != before


def test_an_act_on_a_page_leaves_its_address_and_trace(
    operator: Client, people: dict[str, User], acts: list[AuditEntry]
) -> None:
    form = {"reason": "It is quiet enough now", "revision": acts[1].revision}
    answer = operator.post(
        "/breakers/l2/auto/",
        form,
        headers={"traceparent": f"00-{TRACE[::-1]}-00f067aa0ba902b7-01"},
        REMOTE_ADDR="198.51.100.4",
    )
    assert answer.status_code == 302, answer.content
    entry = AuditEntry.objects.latest("id")
    assert (entry.source, entry.trace_id) == ("198.51.100.4", TRACE[::-1])
    assert answer["X-Request-ID"] == TRACE[::-1]
