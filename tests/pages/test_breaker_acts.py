"""Acts on a breaker: they ask, say whom they reach, want a reason and an end, and can be undone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from console import controls
from console.access.models import AuditEntry
from console.controls import Actor, desired
from console.pages.breaker_acts import ACTS
from tests.made_up_fleet import LOOKUP, a_troubled_fleet, publish
from tests.pages.conftest import Page
from validation.models import Control, ControlKind

See = Callable[..., Page]
ADDRESS = f"/breakers/{LOOKUP}/"
REASON = "the node lies about blocks"
OPEN: dict[str, Any] = {"reason": REASON, "for_s": "900", "confirm": LOOKUP, "revision": "0"}


@pytest.fixture(autouse=True)
def fleet(db: None) -> None:
    publish(*a_troubled_fleet(6))


def _post(client: Client, act: str, status: int, **given: Any) -> Page:
    response = client.post(f"{ADDRESS}{act}/", given, follow=status == 200)
    assert response.status_code == status, response.content[:2_000]
    return Page(response.content.decode())


def _wanted() -> Any:
    return desired(ControlKind.BREAKER, LOOKUP)


def test_it_asks_with_before_after_and_whom_it_reaches(operator: Client, see: See) -> None:
    page = see(operator, f"{ADDRESS}open/")
    for said in (
        "Open · blocking on 2 of 6 workers",
        "Closed · passing on 3 of 6 workers",
        "Forced open · blocking No call passes",
        "6 workers , 2 158 calls a minute",
        f"Type {LOOKUP} to confirm",
        "Force open on 6 workers",
    ):
        assert said in page.text, said
    assert not _wanted().revision


def test_force_open_holds_until_its_end_and_says_so(operator: Client) -> None:
    page = _post(operator, "open", 200, **OPEN)
    assert f"{LOOKUP} is forced open" in page.text
    assert "Undo…" in page.text
    wanted = _wanted()
    assert (wanted.mode, wanted.reason, wanted.actor) == ("forced_open", REASON, "the-operator")
    assert 890 < wanted.for_s <= 900


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": "short"}, "'short' is not a reason of 10 to 500"),
        ({"reason": ""}, "Give a reason of 10 to 500"),
        ({"confirm": ""}, f"Give {LOOKUP}"),
        ({"confirm": "l2"}, f"'l2' is not {LOOKUP}"),
        ({"for_s": "99999"}, "Select a valid choice"),
        ({"revision": "x"}, "whole number"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_done(
    operator: Client, wrong: dict[str, str], said: str
) -> None:
    page = _post(operator, "open", 422, **(OPEN | wrong))
    assert said in page.text
    if "reason" not in wrong:
        assert REASON in [attrs.get("value") for attrs in page.all("input")]
    assert not _wanted().revision


@pytest.mark.parametrize(
    ("act", "mode"),
    [
        ("close", "forced_closed"),
        ("metrics-only", "metrics_only"),
        ("disable", "disabled"),
    ],
)
def test_the_other_modes_need_no_name(operator: Client, act: str, mode: str) -> None:
    _post(operator, act, 200, reason=REASON, for_s="300", revision="0")
    assert _wanted().mode == mode


def test_back_to_auto_ends_it(operator: Client, see: See) -> None:
    _post(operator, "open", 200, **OPEN)
    assert f"{ADDRESS}auto/" in see(operator, ADDRESS).hrefs()
    _post(operator, "auto", 200, reason="the node is well again", revision=_wanted().revision)
    assert _wanted().is_auto
    assert f"{ADDRESS}auto/" not in see(operator, ADDRESS).hrefs()


def test_a_reset_is_done_once_and_offers_no_undo(operator: Client) -> None:
    page = _post(operator, "reset", 200, reason="start counting afresh", revision="0")
    assert "Undo" not in page.text
    assert _wanted().reset_revision == _wanted().revision


def test_tuning_shows_what_is_in_force_and_keeps_the_rest(operator: Client, see: See) -> None:
    page = see(operator, f"{ADDRESS}tune/")
    assert "failure_rate 0.5 → now, becomes" in page.text
    assert "Until changed" not in page.text
    given = {"failure_rate": "0.25", "min_calls": "", "reason": REASON, "for_s": "3600"}
    _post(operator, "tune", 200, **given, revision="0")
    assert _wanted().settings == {"failure_rate": 0.25}
    again = see(operator, f"{ADDRESS}tune/")
    assert "0.25" in [attrs.get("value") for attrs in again.all("input")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"failure_rate": "7"}, "7 is not a number from 0.01 to 1"),
        ({"min_calls": "2.5"}, "2.5 is not a whole number from 1 to 10000"),
        ({"failure_rate": "a half"}, "Enter a number"),
        ({"failure_rate": "nan"}, "Enter a number"),
    ],
)
def test_a_threshold_out_of_bounds_is_refused_beside_its_field(
    operator: Client, given: dict[str, str], said: str
) -> None:
    page = _post(operator, "tune", 422, reason=REASON, for_s="900", revision="0", **given)
    assert said in page.text
    (field,) = [a for a in page.all("input") if a.get("aria-invalid") == "true"]
    assert field["name"] in given
    assert not _wanted().revision


def test_only_an_admin_makes_thresholds_last(operator: Client, admin: Client, see: See) -> None:
    given = {"min_calls": "20", "reason": REASON, "for_s": "", "revision": "0"}
    refused = _post(operator, "tune", 403, **given)
    assert "needs the role admin" in refused.text
    assert "Until changed" in see(admin, f"{ADDRESS}tune/").text
    _post(admin, "tune", 200, **given)
    assert _wanted().lasting == {"min_calls": 20}


def _fields(page: Page) -> dict[str | None, tuple[str | None, str | None]]:
    return {a.get("name"): (a.get("value"), a.get("placeholder")) for a in page.all("input")}


def test_a_form_shows_the_layer_that_it_writes(
    operator: Client, admin: Client, people: dict[str, User], see: See
) -> None:
    boss = Actor.on_page(people["admin"])
    controls.tune_breaker(
        boss, LOOKUP, {"min_calls": 20, "failure_rate": 0.4}, reason=REASON, for_s=None
    )
    controls.tune_breaker(boss, LOOKUP, {"failure_rate": 0.25, "open_s": 3}, reason=REASON)
    # An operator may make nothing last, and so is never shown that layer to be written.
    for_a_time = _fields(see(operator, f"{ADDRESS}tune/?for_s="))
    assert for_a_time["min_calls"] == ("", "20, lasting")
    assert for_a_time["failure_rate"] == ("0.25", "0.4, lasting")
    assert for_a_time["slow_rate"] == ("", "as configured")
    assert f"{ADDRESS}tune/?for_s=" in see(admin, f"{ADDRESS}tune/").hrefs()
    lasting = _fields(see(admin, f"{ADDRESS}tune/?for_s="))
    assert lasting["min_calls"] == ("20", "as configured")
    assert lasting["failure_rate"][0] == "0.4"
    value, placeholder = lasting["open_s"]
    assert (value, (placeholder or "")[:9]) == ("", "3, until ")
    assert lasting["for_s"][0] == ""


def test_what_ends_never_comes_to_last_by_a_form_that_was_left_as_it_was(
    operator: Client, people: dict[str, User], see: See
) -> None:
    boss = Actor.on_page(people["admin"])
    controls.tune_breaker(boss, LOOKUP, {"min_calls": 20}, reason=REASON, for_s=None)
    shown = _fields(see(operator, f"{ADDRESS}tune/"))
    given = {name: shown[name][0] for name in ("min_calls", "failure_rate", "revision")}
    _post(operator, "tune", 200, **given, reason=REASON, for_s="900")
    assert (_wanted().tuned, _wanted().lasting) == ({}, {"min_calls": 20})


def test_only_a_value_that_lasts_is_said_to_last(
    operator: Client, people: dict[str, User], see: See
) -> None:
    boss = Actor.on_page(people["admin"])
    controls.tune_breaker(boss, LOOKUP, {"min_calls": 20}, reason=REASON, for_s=None)
    assert "tuned to 20, lasting" in see(operator, ADDRESS).text.replace(" ,", ",")
    controls.tune_breaker(boss, LOOKUP, {"min_calls": 30}, reason=REASON)
    page = see(operator, ADDRESS).text
    assert "tuned to 30" in page
    assert "tuned to 30, lasting" not in page
    assert "min_calls 30 until" in see(operator, f"{ADDRESS}open/").text


def test_a_form_without_an_end_makes_nothing_last(admin: Client) -> None:
    _post(admin, "tune", 200, min_calls="20", reason=REASON, revision="0")
    assert _wanted().lasting == {}
    assert _wanted().tuned_for_s > 800


def test_who_was_slower_is_told_what_is_so_now(
    operator: Client, people: dict[str, User], see: See
) -> None:
    controls.override_breaker(
        Actor.on_page(people["admin"]), LOOKUP, "forced_closed", reason="I was here before you"
    )
    page = _post(operator, "open", 409, **OPEN)
    for said in ("Somebody was faster", "the-admin changed this", "I was here before you"):
        assert said in page.text, said
    assert "forced closed until" in page.text
    assert _wanted().mode == "forced_closed"
    (revision,) = [a["value"] for a in page.all("input") if a.get("name") == "revision"]
    _post(operator, "open", 200, **(OPEN | {"revision": revision}))
    assert _wanted().mode == "forced_open"


def _revision_in(page: Page) -> str | None:
    (revision,) = [a["value"] for a in page.all("input") if a.get("name") == "revision"]
    return revision


@pytest.mark.parametrize("wrong", [{"reason": "short"}, {"for_s": "99999"}, {}])
def test_a_form_refused_for_something_else_hides_no_foreign_change(
    operator: Client, people: dict[str, User], wrong: dict[str, str]
) -> None:
    controls.override_breaker(
        Actor.on_page(people["admin"]), LOOKUP, "forced_closed", reason="I was here before you"
    )
    page = _post(operator, "open", 409, **(OPEN | wrong))
    assert "the-admin changed this" in page.text
    assert _revision_in(page) == str(_wanted().revision)
    assert _wanted().mode == "forced_closed"


def test_a_refused_form_keeps_the_revision_that_was_seen(
    operator: Client, people: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody changes it between the reading of what is wanted and the refusal."""

    def late(actor: Actor, name: str, mode: str, **given: Any) -> Any:
        admin = Actor.on_page(people["admin"])
        controls.release_breaker(admin, name, reason="I was in between")
        raise controls.Refused("reason", given["reason"], "a reason")

    monkeypatch.setattr("console.pages.breaker_acts.controls.override_breaker", late)
    assert _revision_in(_post(operator, "open", 422, **OPEN)) == "0"


def test_a_size_of_l1_hides_no_foreign_change_either(
    operator: Client, people: dict[str, User]
) -> None:
    admin = Actor.on_page(people["admin"])
    controls.resize_l1(admin, {"max_entries": 500}, reason="I was here before you")
    given = {"max_entries": "700", "reason": "short", "for_s": "900", "revision": "0"}
    response = operator.post("/caches/resize/", given)
    page = Page(response.content.decode())
    assert (response.status_code, "the-admin changed this" in page.text) == (409, True)
    response = operator.post("/caches/resize/", given | {"revision": _revision_in(page)})
    assert response.status_code == 422
    assert controls.desired(ControlKind.L1, "").settings == {"max_entries": 500}


def test_a_dialog_gets_its_part_and_leaves_by_a_header(operator: Client, see: See) -> None:
    part = see(operator, f"{ADDRESS}open/", **{"HX-Request": "true"})
    assert part.tags[0][0] == "form"
    assert part.tags[0][1]["hx-post"] == f"{ADDRESS}open/"
    wrong = operator.post(f"{ADDRESS}open/", {}, headers={"HX-Request": "true"})
    assert (wrong.status_code, wrong.content.lstrip()[:5]) == (422, b"<form")
    done = operator.post(f"{ADDRESS}open/", OPEN, headers={"HX-Request": "true"})
    assert (done.status_code, done["HX-Redirect"]) == (200, ADDRESS)


@pytest.mark.parametrize("act", list(ACTS))
def test_a_viewer_may_neither_ask_nor_act(viewer: Client, act: str) -> None:
    assert viewer.get(f"{ADDRESS}{act}/").status_code == 403
    assert viewer.post(f"{ADDRESS}{act}/", OPEN).status_code == 403
    assert not AuditEntry.objects.exists()


def test_undo_takes_it_back_as_an_act_of_its_own(operator: Client, see: See) -> None:
    _post(operator, "open", 200, **OPEN)
    entry = AuditEntry.objects.get()
    page = see(operator, f"/audit/{entry.pk}/revert/")
    assert "Take back 1 change" in page.text
    response = operator.post(
        f"/audit/{entry.pk}/revert/", {"reason": "that was the wrong node"}, follow=True
    )
    assert "is taken back" in Page(response.content.decode()).text
    assert _wanted().is_auto
    assert AuditEntry.objects.first().reverts == entry  # type: ignore[union-attr]


def test_what_was_followed_by_another_change_is_not_taken_back(operator: Client) -> None:
    _post(operator, "open", 200, **OPEN)
    entry = AuditEntry.objects.get()
    _post(operator, "auto", 200, reason="the node is well again", revision=_wanted().revision)
    response = operator.post(f"/audit/{entry.pk}/revert/", {"reason": "that was the wrong node"})
    assert response.status_code == 409
    assert _wanted().is_auto


def test_what_ended_or_was_followed_or_is_done_once_offers_nothing_to_take_back(
    operator: Client, see: See
) -> None:
    _post(operator, "open", 200, **OPEN)
    ended = AuditEntry.objects.get()
    Control.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    page = see(operator, f"/audit/{ended.pk}/revert/").text
    assert "It has ended by itself" in page
    assert "Take back 1 change" not in page
    _post(operator, "reset", 200, reason="it is to begin afresh", revision=_wanted().revision)
    assert "Somebody changed this again" in see(operator, f"/audit/{ended.pk}/revert/").text
    done = AuditEntry.objects.first()
    assert done
    assert "is done once" in see(operator, f"/audit/{done.pk}/revert/").text


def test_taking_back_an_end_of_forced_open_asks_for_the_name(operator: Client, see: See) -> None:
    _post(operator, "open", 200, **OPEN)
    _post(operator, "auto", 200, reason="the node is well again", revision=_wanted().revision)
    entry = AuditEntry.objects.first()
    assert entry
    address = f"/audit/{entry.pk}/revert/"
    assert f"Type {LOOKUP} to confirm" in see(operator, address).text
    given = {"reason": "it was not well at all"}
    assert operator.post(address, given).status_code == 422
    assert operator.post(address, given | {"confirm": LOOKUP}).status_code == 302
    assert _wanted().mode == "forced_open"
