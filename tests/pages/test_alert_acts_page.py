"""Acknowledging and silencing from the pages: asked first, refused in words, written with why."""

from collections.abc import Callable
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from console.access.models import AuditEntry
from monitoring.models import Silence
from tests.made_up_alerts import raised
from tests.pages.conftest import Page

See = Callable[..., Page]
WHY = "the pool is being resized"


def test_an_alert_is_acknowledged_with_name_and_reason(operator: Client, see: See) -> None:
    alert = raised()
    page = see(operator, f"/alerts/{alert.pk}/")
    assert f"/alerts/{alert.pk}/acknowledge/" in page.hrefs()
    asked = see(operator, f"/alerts/{alert.pk}/acknowledge/")
    assert "7 of 8 connections are lent" in asked.text
    assert operator.post(f"/alerts/{alert.pk}/acknowledge/", {"reason": WHY}).status_code == 302
    page = see(operator, f"/alerts/{alert.pk}/")
    assert "Acknowledged by the-operator" in page.text
    assert WHY in page.text
    assert f"/alerts/{alert.pk}/acknowledge/" not in page.hrefs()
    assert AuditEntry.objects.get().action == "acknowledge"


def test_a_short_reason_is_refused_beside_its_field(operator: Client) -> None:
    alert = raised()
    answer = operator.post(f"/alerts/{alert.pk}/acknowledge/", {"reason": "short"})
    assert answer.status_code == 422
    assert 'id="error_reason"' in answer.content.decode()
    alert.refresh_from_db()
    assert alert.acknowledged_at is None


def test_what_is_over_cannot_be_acknowledged(operator: Client, see: See) -> None:
    alert = raised(state="cleared", cleared_at=timezone.now())
    assert (
        "there is nothing to acknowledge" in see(operator, f"/alerts/{alert.pk}/acknowledge/").text
    )
    answer = operator.post(f"/alerts/{alert.pk}/acknowledge/", {"reason": WHY})
    assert answer.status_code == 422
    see(operator, "/alerts/999999/acknowledge/", 404)


def test_a_silence_is_filled_in_from_the_alert_and_ends_by_itself(
    operator: Client, see: See
) -> None:
    alert = raised()
    asked = see(operator, f"/alerts/silences/add/?alert={alert.pk}")
    chosen = [one["value"] for one in asked.all("option") if "selected" in one]
    assert chosen == ["rule:db.pool_used"]
    form = {"covers": "rule:db.pool_used", "subject": "db.*", "for_s": "900", "reason": WHY}
    assert operator.post("/alerts/silences/add/", form).status_code == 302
    made = Silence.objects.get()
    assert (made.rule, made.group, made.subject, made.by) == (
        "db.pool_used", "", "db.*", "the-operator",
    )  # fmt: skip
    assert made.ends_at - made.begins_at == timedelta(minutes=15)
    assert WHY in see(operator, "/alerts/").text


def test_maintenance_begins_when_it_is_announced(operator: Client, see: See) -> None:
    begins = (timezone.now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    form = {
        "kind": "maintenance", "covers": "group:cache", "for_s": "3600", "reason": WHY,
        "begins_at": f"{begins:%Y-%m-%dT%H:%M}",
    }  # fmt: skip
    assert operator.post("/alerts/silences/add/", form).status_code == 302
    made = Silence.objects.get()
    assert (made.kind, made.group, made.begins_at) == ("maintenance", "cache", begins)
    assert "Maintenance · announced" in see(operator, "/alerts/").text


def test_what_a_silence_cannot_be_is_refused_in_words(operator: Client, admin: Client) -> None:
    good = {"covers": "group:cache", "for_s": "900", "reason": WHY}
    for change, status, says in (
        ({"covers": ""}, 422, "Choose the group or the rule that nobody is to be told of."),
        ({"covers": "", "kind": "maintenance"}, 422, "Choose the group or the rule"),
        ({"covers": "everything"}, 422, "A silence covers one group or one rule: choose it."),
        ({"covers": "everything", "kind": "maintenance"}, 403, "role admin"),
        ({"covers": "rule:no.such"}, 422, "rule:no.such"),
        ({"for_s": "5"}, 422, "5 is not one of"),
        ({"begins_at": "tomorrow"}, 422, "is no time such as"),
        ({"begins_at": "2020-01-01T00:00"}, 422, "30 days ahead"),
        ({"reason": ""}, 422, "Give"),
    ):
        answer = operator.post("/alerts/silences/add/", good | change)
        assert answer.status_code == status, (change, answer.content[:500])
        assert says in answer.content.decode().replace("&#x27;", "'"), change
    assert not Silence.objects.exists()
    everything = good | {"covers": "everything", "kind": "maintenance"}
    assert admin.post("/alerts/silences/add/", everything).status_code == 302


def test_what_a_silence_is_offered_with_is_what_fires_where_that_is_one(
    operator: Client, see: See
) -> None:
    def chosen() -> tuple[str, str]:
        page = see(operator, "/alerts/silences/add/")
        (option,) = [one["value"] for one in page.all("option") if "selected" in one]
        (subject,) = [one["value"] for one in page.all("input") if one.get("name") == "subject"]
        return option or "", subject or ""

    assert chosen() == ("", "")
    raised("node.down", subject="n1")
    raised("db.pool_waits", state="pending")
    assert chosen() == ("rule:node.down", "n1")
    raised()
    assert chosen() == ("", "")


def test_what_was_typed_stands_again_beside_what_was_refused(operator: Client) -> None:
    typed = {
        "kind": "maintenance", "covers": "", "subject": "db.*", "begins_at": "2026-11-21T22:00",
        "for_s": "14400", "reason": WHY,
    }  # fmt: skip
    answer = operator.post("/alerts/silences/add/", typed)
    assert answer.status_code == 422
    page = Page(answer.content.decode())
    shown = {one.get("name"): one.get("value") for one in page.all("input") if "type" not in one}
    assert (shown["subject"], shown["reason"]) == ("db.*", WHY)
    checked = {one.get("name"): one.get("value") for one in page.all("input") if "checked" in one}
    assert (checked["kind"], checked["for_s"]) == ("maintenance", "14400")
    assert 'value="2026-11-21T22:00"' in answer.content.decode()
    assert [one.get("id") for one in page.all("p") if one.get("class") == "error"] == [
        "error_covers"
    ]
    assert "rule:" not in page.text.replace("rule that", "")


def test_a_silence_is_ended_before_its_time(operator: Client, see: See) -> None:
    now = timezone.now()
    found = Silence.objects.create(
        rule="cache.down", begins_at=now, ends_at=now + timedelta(hours=1), reason=WHY, by="amina"
    )
    address = f"/alerts/silences/{found.pk}/end/"
    assert address in see(operator, "/alerts/").hrefs()
    assert operator.post(address, {"reason": "it is over, all is well"}).status_code == 302
    assert "None is in force" in see(operator, "/alerts/").text
    assert "there is nothing to end" in see(operator, address).text
    see(operator, "/alerts/silences/999999/end/", 404)


def test_a_viewer_sees_no_act(viewer: Client, see: See) -> None:
    alert = raised()
    for address in ("/alerts/", f"/alerts/{alert.pk}/"):
        hrefs = see(viewer, address).hrefs()
        assert not [href for href in hrefs if "silences" in href or "acknowledge" in href]
