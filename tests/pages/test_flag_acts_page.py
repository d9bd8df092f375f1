"""Acts on a flag: they ask, want a reason, meet who was faster, and are taken back."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from console.access.models import AuditEntry
from console.flags import acts, definition_acts, freezing
from console.flags.models import Flag, Freeze, PlannedStage
from console.flags.standing import Standing
from console.rehearsals.models import Rehearsal
from tests.flags.made import actor
from tests.pages import flag_world
from tests.pages.conftest import Page
from tests.pages.flag_world import EVICTION, WHY, post_stage
from tests.rehearsals.made_up import all_drilled

See = Callable[..., Page]
ADDRESS = f"/flags/{EVICTION}/"
MADE = {"variants": {"off": False, "on": True}}


@pytest.fixture(autouse=True)
def world(db: None) -> None:
    flag_world.fleet(8)
    all_drilled()


def _post(client: Client, address: str, status: int, **given: Any) -> Page:
    response = client.post(address, given, follow=status == 200)
    assert response.status_code == status, response.content[:2_000]
    return Page(response.content.decode())


def _words(key: str = EVICTION) -> str:
    return Standing.of(Flag.objects.get(pk=key)).words


def _revision(key: str = EVICTION) -> int:
    return Flag.objects.get(pk=key).revision


def test_it_asks_with_before_after_and_whom_it_reaches(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag_world.asked(monkeypatch, {EVICTION: {"s3fifo": 1_200}})
    page = see(operator, f"{ADDRESS}stage/?stage=25&target=tinylfu")
    for said in (
        "Now s3fifo After tinylfu on 25 %, s3fifo else",
        "Reaches 2 of 8 processes, 25 % of items",
        "Asked for 1 200 times a minute",
        "Set to 25 %: 2 of 8 processes, 25 % of items",
    ):
        assert said in page.text, said
    assert _words() == "s3fifo"


def test_a_stage_is_set_and_undone_at_one_click(operator: Client) -> None:
    page = _post(operator, f"{ADDRESS}stage/", 200, **post_stage())
    assert f"{EVICTION} is tinylfu on 25 %, s3fifo else." in page.text
    entry = AuditEntry.objects.get(revision=_revision())
    assert (entry.actor, entry.kind, entry.target, entry.reason) == (
        *("the-operator", "flags", EVICTION, WHY),
    )
    undo = next(attrs for attrs in page.all("form") if attrs.get("data-goes-after"))
    reason = "Undone right after it was done."
    assert f'value="{reason}"' in page.html
    page = _post(operator, str(undo["action"]), 200, reason=reason)
    assert _words() == "s3fifo"
    assert "is taken back" in page.text


def test_rolling_back_ends_at_the_baseline_and_asks_before_it_is_undone(operator: Client) -> None:
    page = _post(operator, f"{ADDRESS}roll-back/", 200, reason=WHY, revision=_revision())
    assert f"{EVICTION} is rolled back: fifo on all." in page.text
    assert "Undo…" in page.text  # it gives the target to all again: that is asked once more
    assert not [attrs for attrs in page.all("form") if attrs.get("data-goes-after")]
    revert = next(href for href in page.hrefs() if "/revert/" in href)
    page = Page(operator.get(revert).content.decode())
    assert "Now fifo After s3fifo" in page.text
    _post(operator, revert, 200, reason="the fault lay elsewhere")
    assert _words() == "s3fifo"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": "short"}, "is not a reason of 10 to 500 printable characters"),
        ({"stage": "101"}, "101 is not a whole percent from 0 to 100."),
        ({"stage": "a lot"}, "Give a whole percent from 0 to 100."),
        ({"target": "random"}, "'random' is not one of"),
        ({"rest": "random"}, "'random' is not one of"),
        ({"unit": "planet"}, "'planet' is not one of"),
        ({"stage": "100", "target": "s3fifo", "rest": "fifo"}, "a change"),
        ({"revision": "seven"}, "Enter a whole number"),
    ],
)
def test_what_cannot_be_wanted_is_said_and_nothing_typed_is_lost(
    operator: Client, wrong: dict[str, str], said: str
) -> None:
    page = _post(operator, f"{ADDRESS}stage/", 422, **post_stage(**wrong))
    assert said in page.text
    typed = [attrs.get("value") for attrs in page.all("input") if attrs.get("name") == "reason"]
    assert typed == [wrong.get("reason", WHY)]
    assert _words() == "s3fifo"


def test_who_was_faster_is_met_with_what_holds_now(operator: Client) -> None:
    acts.set_stage(actor(name="eve"), EVICTION, stage=50, target="lru", reason="lru is simpler")
    page = _post(operator, f"{ADDRESS}stage/", 409, **post_stage())
    assert "Somebody was faster. eve changed this" in page.text
    assert "Now lru on 50 %, fifo else After tinylfu on 25 %, s3fifo else" in page.text
    named = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    assert (named["reason"], named["stage"]) == (WHY, "25")
    assert named["revision"] == str(_revision())
    assert _words() == "lru on 50 %, fifo else"
    _post(operator, f"{ADDRESS}stage/", 200, **post_stage(revision=_revision()))
    assert _words() == "tinylfu on 25 %, s3fifo else"


def test_a_freeze_stops_raising_and_not_rolling_back(operator: Client, see: See) -> None:
    page = _post(operator, "/flags/-/freeze/", 200, reason="the shop's busiest day", for_s="3600")
    assert "no stage is raised" in page.text
    left = Freeze.objects.get(key="").until - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    asked = see(operator, f"{ADDRESS}stage/?stage=25&target=tinylfu")
    assert "All flags are frozen until" in asked.text
    assert not [a for a in asked.all("button") if "button-primary" in str(a.get("class"))]
    page = _post(operator, f"{ADDRESS}stage/", 422, **post_stage())
    assert "Lowering a stage and rolling back are free" in page.text
    _post(operator, f"{ADDRESS}roll-back/", 200, reason=WHY)
    assert _words() == "fifo"
    page = _post(operator, "/flags/-/thaw/", 200, reason="the day is over by now")
    assert "No longer frozen" in page.text
    assert not Freeze.objects.exists()
    assert _post(operator, "/flags/-/thaw/", 422, reason="the day is over by now").text


def test_one_flag_is_frozen_by_itself(operator: Client) -> None:
    _post(operator, f"{ADDRESS}freeze/", 200, reason="it is being measured", for_s="1209600")
    assert Freeze.objects.get().key == EVICTION
    _post(operator, f"{ADDRESS}freeze/", 422, reason="it is being measured", for_s="9999999")
    _post(operator, f"{ADDRESS}thaw/", 200, reason="it was measured well")
    assert not freezing.standing(EVICTION, timezone.now())


def test_a_plan_is_made_of_the_bake_times_and_cancelled(operator: Client, see: See) -> None:
    address = "/flags/rpc.hedging/"
    page = see(operator, f"{address}plan/")
    fields = [attrs for attrs in page.all("input") if "after" in str(attrs.get("name"))]
    offered = {str(attrs["name"]): attrs.get("value") for attrs in fields}
    assert offered == {"after_5": "0", "after_25": "10", "after_50": "20", "after_100": "30"}
    given = offered | {"after_50": "", "reason": WHY, "revision": _revision("rpc.hedging")}
    page = _post(operator, f"{address}plan/", 200, **given)
    assert "ramps by itself" in page.text
    waiting = PlannedStage.objects.filter(state="waiting")
    assert [step.stage for step in waiting] == [5, 25, 100]
    page = see(operator, f"{address}cancel-plan/")
    assert "Cancel 3 steps" in page.text
    _post(operator, f"{address}cancel-plan/", 200, reason="it is not the time for it")
    assert not waiting.all().exists()
    _post(operator, f"{address}cancel-plan/", 422, reason="it is not the time for it")


def test_a_plan_before_a_stage_has_baked_is_refused(operator: Client) -> None:
    given = {"after_5": "0", "after_25": "1", "reason": WHY}
    page = _post(operator, "/flags/rpc.hedging/plan/", 422, **given)
    assert "5 % is to bake until then" in page.text
    page = _post(operator, "/flags/rpc.hedging/plan/", 422, reason=WHY, after_5="soon")
    assert "Give minutes from now." in page.text
    assert not PlannedStage.objects.exists()


def test_only_an_admin_switches_off_and_on(operator: Client, admin: Client) -> None:
    assert operator.get(f"{ADDRESS}disable/").status_code == 403
    assert operator.post(f"{ADDRESS}disable/", {"reason": WHY}).status_code == 403
    page = _post(admin, f"{ADDRESS}disable/", 200, reason=WHY)
    assert "is off: whoever asks gets its own default" in page.text
    assert _words() == "off"
    _post(admin, f"{ADDRESS}enable/", 200, reason=WHY)
    assert _words() == "s3fifo"


@pytest.mark.parametrize(
    "act", ["stage", "roll-back", "plan", "cancel-plan", "freeze", "thaw", "edit", "delete"]
)
def test_a_viewer_may_do_nothing(viewer: Client, act: str) -> None:
    assert viewer.get(f"{ADDRESS}{act}/").status_code == 403
    assert viewer.post(f"{ADDRESS}{act}/", post_stage()).status_code == 403
    assert _words() == "s3fifo"


@pytest.mark.parametrize("act", ["add", "import", "freeze", "thaw"])
def test_a_viewer_may_do_nothing_to_all(viewer: Client, operator: Client, act: str) -> None:
    assert viewer.post(f"/flags/-/{act}/", {"reason": WHY}).status_code == 403
    if act in {"add", "import"}:
        assert operator.post(f"/flags/-/{act}/", {"reason": WHY}).status_code == 403


def test_an_admin_adds_edits_and_deletes(admin: Client, see: See) -> None:
    given = {"key": "shop.cart", "definition": json.dumps(MADE), "reason": WHY}
    page = _post(admin, "/flags/-/add/", 200, **given)
    assert "shop.cart is added, at its baseline." in page.text
    shown = see(admin, "/flags/shop.cart/edit/")
    assert '"variants"' in shown.text.replace("&quot;", '"')
    seen = _revision("shop.cart")
    edited = json.dumps({"title": "The cart"})
    given = {"definition": edited, "reason": WHY, "revision": str(seen)}
    _post(admin, "/flags/shop.cart/edit/", 200, **given)
    assert Flag.objects.get(pk="shop.cart").title == "The cart"
    page = _post(admin, "/flags/shop.cart/edit/", 409, **given)
    assert "Somebody was faster." in page.text
    assert edited in page.text  # what was typed
    _post(admin, "/flags/shop.cart/delete/", 422, reason=WHY, confirm="shop")
    page = _post(admin, "/flags/shop.cart/delete/", 200, reason=WHY, confirm="shop.cart")
    assert "shop.cart is deleted." in page.text
    assert not Flag.objects.filter(pk="shop.cart").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": "Shop Cart"}, "is not 1 to 100 of a-z"),
        ({"definition": "{not json"}, "is not JSON"),
        ({"definition": "[1]"}, "is not a JSON object"),
        ({"definition": '{"variants": {}}'}, "variants"),
        ({"definition": '{"colour": "red"}'}, "colour"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(
    admin: Client, given: dict[str, str], said: str
) -> None:
    whole = {"key": "shop.cart", "definition": json.dumps(MADE), "reason": WHY} | given
    page = _post(admin, "/flags/-/add/", 422, **whole)
    assert said in page.text
    assert not Flag.objects.filter(pk="shop.cart").exists()


def test_an_export_comes_back_by_import(admin: Client, viewer: Client) -> None:
    definition_acts.create(actor("admin"), "shop.cart", MADE, reason=WHY)
    exported = viewer.get("/flags/shop.cart/export/")
    assert "flags-shop.cart.json" in exported["Content-Disposition"]
    assert json.loads(viewer.get("/flags/-/export/").content)["flags"].keys() > {"shop.cart"}
    Flag.objects.filter(pk="shop.cart").delete()
    upload = SimpleUploadedFile("flags.json", exported.content)
    page = _post(admin, "/flags/-/import/", 200, file=upload, reason=WHY)
    assert "Imported: 1 added, 0 changed, 0 as before." in page.text
    assert _words("shop.cart") == "off"
    page = _post(admin, "/flags/-/import/", 422, definition="{", reason=WHY)
    assert "is not JSON there" in page.text


def test_a_change_that_was_followed_is_not_taken_back_here(operator: Client) -> None:
    acts.set_stage(actor(), EVICTION, stage=25, target="tinylfu", reason=WHY)
    first = AuditEntry.objects.get(revision=_revision())
    acts.set_stage(actor(), EVICTION, stage=50, reason=WHY)
    page = Page(operator.get(f"/audit/{first.pk}/revert/").content.decode())
    assert "Somebody changed this again since" in page.text
    _post(operator, f"/audit/{first.pk}/revert/", 409, reason="it was too early for it")
    assert _words() == "tinylfu on 50 %, fifo else"


CODEC = "cache.codec"


def test_the_dialog_offers_the_drill_and_an_admin_the_way_without(
    operator: Client, admin: Client, see: See
) -> None:
    acts.roll_back(actor(), CODEC, reason=WHY)
    Rehearsal.objects.all().delete()
    address = f"/flags/{CODEC}/stage/?stage=5&target=gzip"
    page = see(operator, f"{address}&unrehearsed=on")
    assert "no drill of this code" in page.text
    assert "An admin may go without a drill." in page.text
    assert f"/flags/{CODEC}/rehearse/?target=gzip" in page.html
    assert "Go without" not in page.text
    page = see(admin, address)
    way = next(a["href"] for a in page.all("a") if "unrehearsed=on" in (a.get("href") or ""))
    without = see(admin, str(way))
    assert "Drill you go without one of gzip, and the audit trail says so" in without.text
    assert "Set to 5" in without.text
    assert "/rehearse/" not in without.html
    # Whoever has no scripts may choose otherwise and send that.
    assert "<noscript><button" in page.html
    form = {"stage": 5, "target": "gzip", "rest": "base64", "unit": "process", "reason": WHY}
    assert operator.post(f"/flags/{CODEC}/stage/", form).status_code == 422
    assert operator.post(f"/flags/{CODEC}/stage/", form | {"unrehearsed": "on"}).status_code == 403
    assert Flag.objects.get(pk=CODEC).stage == 0
    assert admin.post(f"/flags/{CODEC}/stage/", form | {"unrehearsed": "on"}).status_code == 302
    assert _words(CODEC) == "gzip on 5 %, base64 else"
    assert "without a drill of gzip" in see(operator, "/audit/").text


def test_the_way_past_leads_back_to_the_optimisation(admin: Client, see: See) -> None:
    Rehearsal.objects.all().delete()
    page = see(admin, f"/flags/{CODEC}/stage/?stage=5&target=gzip&optimisation=1.4")
    ways = [a["href"] for a in page.all("a") if "gzip" in (a.get("href") or "")]
    assert len(ways) == 2
    assert all("optimisation=1.4" in str(way) for way in ways)


def test_a_plan_asks_for_the_drill_before_it_is_made(operator: Client, see: See) -> None:
    acts.roll_back(actor(), CODEC, reason=WHY)
    assert "Plan these stages" in see(operator, f"/flags/{CODEC}/plan/").text
    Rehearsal.objects.all().delete()
    page = see(operator, f"/flags/{CODEC}/plan/")
    assert "no drill of this code" in page.text
    assert f"/flags/{CODEC}/rehearse/?target=zstd-fast" in page.html
    assert "Plan these stages" not in page.text


def test_what_cannot_be_rehearsed_is_not_offered_a_drill(admin: Client, see: See) -> None:
    acts.roll_back(actor(), "db.pool_formula", reason=WHY)
    page = see(admin, "/flags/db.pool_formula/stage/?stage=100&target=deployment")
    assert "/rehearse/" not in page.html
    assert "Go without a drill" in page.text
