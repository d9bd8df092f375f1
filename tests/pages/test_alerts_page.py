"""The pages of alerts: what fires first, why, who was told, what mutes it, and what to do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console import runbooks
from console.access.models import AuditEntry
from console.access.roles import Role
from console.pages import topics
from console.pages.alerts import FIRING_SHOWN, PENDING_SHOWN
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.destinations import Destination
from monitoring.models import Delivery, Notification, Silence
from tests.made_up_alerts import raised, somebody_looked
from tests.pages.conftest import Page

See = Callable[..., Page]
RULE = RULES["db.pool_used"]


@pytest.fixture
def destinations(settings: object) -> None:
    settings.NOTIFY_DESTINATIONS = (  # type: ignore[attr-defined]
        Destination.parse("slack://TokenA/TokenB/TokenC;name=ops"),
        Destination.parse("pagerduty://k3y@integration;severity=critical;name=pager"),
    )


def test_nothing_fires_and_nobody_is_told_is_said(operator: Client, see: See) -> None:
    somebody_looked()
    page = see(operator, "/alerts/")
    assert "Nothing fires" in page.text
    assert "by Postgres' clock" in page.text
    assert "No data" not in page.text
    assert "Nobody is told. NOTIFY_URLS is empty" in page.text
    assert "No alert has come and gone" in page.text
    assert ("nav-firing", True) in {
        (attrs.get("id"), "hidden" in attrs) for attrs in page.all("span")
    }


@pytest.mark.parametrize(
    ("ago_s", "says"), [(None, "nobody has looked yet"), (16, "nobody has looked since 20")]
)
def test_where_nobody_looks_nothing_is_fine(
    operator: Client, see: See, ago_s: float | None, says: str
) -> None:
    somebody_looked(ago_s=ago_s)
    text = see(operator, "/alerts/").text
    assert f"No data: {says}" in text
    assert "Nothing fires" not in text
    assert says in topics.render_alerts("", Role.OPERATOR)["alerts-state"]


def test_the_critical_one_comes_first_with_words_threshold_and_runbook(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runbooks, "is_there", lambda _: True)
    warning = raised()
    critical = raised("node.down", subject="n1", severity="critical", words="n1 answers nobody")
    page = see(operator, "/alerts/")
    assert page.html.index("n1 answers nobody") < page.html.index("7 of 8 connections are lent")
    assert {f"/alerts/{warning.pk}/", f"/alerts/{critical.pk}/"} <= page.hrefs()
    assert f"/alerts/runbooks/{RULE.runbook}/" in page.hrefs()
    assert "87.5" in page.text
    assert "at least 80" in page.text
    assert "Critical · firing" in page.text


def test_one_that_is_calm_says_since_when_and_when_it_is_over(operator: Client, see: See) -> None:
    since = timezone.now().replace(hour=11, minute=40, second=5)
    alert = raised(severity="critical", value=0.0, calm_since=since)
    over = since + timedelta(seconds=RULE.clear_s)
    for address in ("/alerts/", f"/alerts/{alert.pk}/"):
        text = see(operator, address).text
        assert "7 of 8 connections are lent" in text
        assert "Critical · firing, calm now" in text
        assert f"Calm since 11:40:05 UTC, over at {over:%H:%M:%S} if it stays so." in text
    raised("node.down", subject="n1")
    assert see(operator, "/alerts/").text.count("Calm since") == 1


def test_the_count_stands_on_every_page_and_is_pushed(operator: Client, see: See) -> None:
    raised()
    raised("node.down", subject="n1")
    raised("node.lag", subject="n2", state="pending")
    assert "Alerts 2 firing" in see(operator, "/workers/").text
    assert Page(topics.render_firing("", Role.VIEWER)["nav-firing"]).text == "2 firing"


def test_every_rule_is_listed_with_who_says_so(viewer: Client, see: See) -> None:
    page = see(viewer, "/alerts/")
    for rule in RULES.values():
        assert rule.key in page.text
        assert " ".join(rule.why.split()) in page.text
    # As rows say it, and as it is judged: the threshold itself is past it.
    assert ">at least 80" in page.html
    assert ">at most" in page.html
    assert ">above" not in page.html


def test_a_muted_one_says_why_and_a_silence_until_when(operator: Client, see: See) -> None:
    raised(muted="silence 4 until 2026-11-21 12:00 UTC")
    now = timezone.now()
    Silence.objects.create(
        rule="db.pool_used", subject="db.*", begins_at=now, ends_at=now + timedelta(hours=1),
        reason="a migration <b>runs", by="amina",
    )  # fmt: skip
    Silence.objects.create(
        begins_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1), reason="over", by="a"
    )
    page = see(operator, "/alerts/")
    assert "Nobody is told: silence 4" in page.text
    assert "a migration <b>runs" in page.text
    assert "<b>runs" not in page.html
    # Its own row; what is over has none.
    assert page.text.count("in force") == 1


def test_deliveries_show_what_became_of_them_without_a_key(
    operator: Client, see: See, destinations: None
) -> None:
    alert = raised()
    told = Notification.objects.create(
        key="database.fired.1", group="database", severity="critical", what="fired", title="Full",
        body="B", alerts=[{"id": alert.pk, "rule": alert.rule, "subject": alert.subject}],
        routed=True,
    )  # fmt: skip
    Delivery.objects.create(
        notification=told, destination="ops", state="delivered", attempts=2,
        delivered_at=timezone.now(),
    )  # fmt: skip
    Delivery.objects.create(
        notification=told, destination="pager", state="given_up", attempts=8, error="error=503"
    )
    for address in ("/alerts/", f"/alerts/{alert.pk}/"):
        page = see(operator, address)
        assert "pager · given up after 8 attempts. error=503" in page.text
        assert "attempt 2" in page.text
        assert not any(key in page.html for key in ("TokenA", "TokenB", "k3y"))
    assert "slack://…" in see(operator, "/alerts/").text


def test_one_alert_tells_figure_threshold_provenance_and_other_times(
    operator: Client, see: See
) -> None:
    before = raised(state="cleared", cleared_at=timezone.now(), words="once before")
    alert = raised(flaps=2)
    page = see(operator, f"/alerts/{alert.pk}/")
    assert RULE.title in page.text
    assert "7 of 8 connections are lent" in page.text
    assert all(f"{said.source}: {said.says}" in page.text for said in RULE.said)
    assert "Came back 2 times" in page.text
    assert f"/alerts/{before.pk}/" in page.hrefs()
    assert see(operator, "/alerts/999999/", 404)


def test_a_figure_that_is_missing_is_no_data_and_an_unknown_rule_still_shows(
    operator: Client, see: See
) -> None:
    alert = raised("from.tomorrow", value=None, worst=None, threshold=None)
    assert "no data" in see(operator, "/alerts/").text
    assert "This version has no rule of that name" in see(operator, f"/alerts/{alert.pk}/").text


def test_history_is_paged_and_downloaded_whole(operator: Client, see: See) -> None:
    for number in range(35):
        raised(state="cleared", cleared_at=timezone.now(), subject=f"p{number}")
    page = see(operator, "/alerts/")
    (older,) = [href for href in page.hrefs() if "before=" in href]
    assert "p34" in page.text
    assert "p4 " not in page.text
    assert "p4 " in see(operator, older).text
    rows = b"".join(operator.get("/alerts/?format=csv")).decode()
    assert rows.count("db.pool_used") == 35


def test_more_than_are_shown_are_counted_and_those_that_pend_have_a_place(
    operator: Client, see: See
) -> None:
    for number in range(FIRING_SHOWN + 1):
        raised(subject=f"f{number}", severity="critical" if number < 60 else "warning")
    for number in range(PENDING_SHOWN + 2):
        raised(subject=f"w{number}", state="pending", fired_at=None)
    text = see(operator, "/alerts/").text
    assert f"{FIRING_SHOWN + 1}, 60 critical; worst first" in text
    shown = f"Showing {FIRING_SHOWN} of {FIRING_SHOWN + 1} firing, {PENDING_SHOWN} of"
    assert f"{shown} {PENDING_SHOWN + 2} pending" in text
    assert topics.render_alerts("", Role.OPERATOR)["alerts-firing"]


def test_each_cleared_one_is_on_one_page_whenever_it_began(operator: Client, see: See) -> None:
    now = timezone.now()
    for number in range(40):
        # What was told without Postgres is written later than what began after it.
        began = now - timedelta(minutes=60 - number if number % 2 else number)
        raised(state="cleared", began_at=began, cleared_at=now, subject=f"p{number}.")
    page, found = see(operator, "/alerts/"), []
    found += [f"p{number}" for number in range(40) if f"p{number}." in page.text]
    (older,) = [href for href in page.hrefs() if "before=" in href]
    page = see(operator, older)
    found += [f"p{number}" for number in range(40) if f"p{number}." in page.text]
    assert sorted(found) == sorted(f"p{number}" for number in range(40))
    # The newest would be pushed in their place.
    assert "topics=alerts" not in page.html
    assert "topics=alerts" in see(operator, "/alerts/").html


@pytest.mark.parametrize("asked", ["abc", "-1", "0", "9" * 19, "1e3"])
def test_a_page_of_history_that_cannot_be_is_refused_in_words(
    operator: Client, see: See, asked: str
) -> None:
    page = see(operator, f"/alerts/?before={asked}", 422)
    assert f"before: '{asked}' is not the number of an alert" in page.text


def test_a_test_goes_to_each_destination_once_a_minute_with_a_reason_on_record(
    operator: Client, viewer: Client, see: See, destinations: None
) -> None:
    assert viewer.post("/alerts/test/").status_code == 403
    assert "ops, pager" in see(operator, "/alerts/test/").text
    assert operator.post("/alerts/test/", {"reason": "short"}).status_code == 422
    assert not Notification.objects.exists()
    why = {"reason": "a new channel was added"}
    answers = [operator.post("/alerts/test/", why).status_code for _ in range(2)]
    # Two where the minute ended between the two.
    made = answers.count(302)
    assert made in {1, 2}
    assert Notification.objects.filter(what="test", routed=False).count() == made
    assert "the-operator sent this" in Notification.objects.first().body  # type: ignore[union-attr]
    entries = AuditEntry.objects.filter(action="send_test", reason=why["reason"])
    assert [entry.after for entry in entries] == [{"destinations": ["ops", "pager"]}] * made
    assert "a test sent to ops, pager" in see(operator, "/audit/").text


def test_a_test_to_nobody_is_refused_in_words(operator: Client, see: See) -> None:
    assert "there is nobody to send a test to" in see(operator, "/alerts/test/").text
    answer = operator.post("/alerts/test/", {"reason": "a new channel was added"})
    assert answer.status_code == 422
    assert not Notification.objects.exists()


def test_live_regions_are_elements_of_their_pages(operator: Client, see: See) -> None:
    alert = raised()
    for address, regions in (
        ("/alerts/", topics.render_alerts("", Role.OPERATOR)),
        (f"/alerts/{alert.pk}/", topics.render_alert(str(alert.pk), Role.OPERATOR)),
    ):
        page = see(operator, address)
        for name, html in regions.items():
            assert page.ids().count(name) == 1
            assert Page(html).tags[0][1]["id"] == name
            assert "csrfmiddlewaretoken" not in html
    assert topics.render_alert("999999", Role.ADMIN) == {}
