"""One flag: whom each stage reaches, who has it, what share got it, and how it came about."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.access.roles import Role
from console.flags import acts, definition_acts, freezing, plans
from console.flags.models import Flag
from console.pages import topics
from monitoring import valkey
from tests.flags.made import WHY, actor
from tests.pages import flag_world
from tests.pages.conftest import Page
from tests.pages.flag_world import EVICTION, FETCH
from tests.rehearsals.made_up import all_drilled

See = Callable[..., Page]
ADDRESS = f"/flags/{EVICTION}/"


@pytest.fixture(autouse=True)
def world(db: None) -> None:
    flag_world.fleet(8)
    all_drilled()


def _quarter() -> Flag:
    flag = acts.set_stage(actor(), EVICTION, stage=25, target="tinylfu", rest="s3fifo", reason=WHY)
    flag_world.fleet(8)
    return flag


def _part(page: Page, region: str) -> Page:
    """Of the element with that id to the next region."""
    return Page(page.html.partition(f'id="{region}"')[2].partition("</section>")[0])


def test_the_stage_says_whom_each_step_reaches(operator: Client, see: See) -> None:
    _quarter()
    page = see(operator, ADDRESS)
    for said in (
        "0 % 0 of 8 processes, 0 % of items",
        "5 % 1 of 8 processes, 12 % of items",
        "25 % 2 of 8 processes, 25 % of items",
        "100 % 8 of 8 processes, 100 % of items",
        "The next step, 50 % , touches 4 of 8 processes, 50 % of items .",
    ):
        assert said in page.text, said
    current = [attrs for attrs in page.all("a") if attrs.get("aria-current") == "step"]
    assert [attrs["href"] for attrs in current] == [f"{ADDRESS}stage/?stage=25"]
    assert "Baked" in page.text
    assert "of 10 min" in page.text


def test_items_are_told_as_a_share(operator: Client, see: See) -> None:
    acts.set_stage(actor(), FETCH, stage=5, target="batch", rest="coalesced", reason=WHY)
    flag_world.fleet(8)
    page = see(operator, f"/flags/{FETCH}/")
    assert "25 % 25 % of items" in page.text
    assert "split on 8 of 8 workers, 5 % of items each" in page.text
    assert "8 of 8 give it to 5 % of their items" in page.text


def test_who_has_it_is_told_process_by_process(operator: Client, see: See) -> None:
    _quarter()
    page = see(operator, ADDRESS)
    workers = _part(page, "flag-workers").text
    assert "2 of 8 up have tinylfu by the stage" in workers
    assert workers.count("tinylfu · within the stage") == 2
    assert workers.count("s3fifo · rest") == 6
    assert "tinylfu on 2 of 8 workers" in page.text
    assert "Acknowledged by 8 of 8 ." in page.text
    body = b"".join(operator.get(f"{ADDRESS}?format=csv"))
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert {row["rank"] for row in rows if row["variant"] == "tinylfu"} == {"1", "2"}


def test_what_share_got_it_is_measured_against_what_was_asked(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quarter()
    flag_world.asked(monkeypatch, {EVICTION: {"tinylfu": 260, "s3fifo": 740}})
    page = see(operator, ADDRESS)
    assert "26.0 % got tinylfu , 25 % asked" in page.text.replace("\u202f", " ")
    assert "s3fifo 74.0 % 740 a minute" in page.text.replace("\u202f", " ")
    assert "tinylfu 26.0 percent, s3fifo 74.0 percent, asked for 25 percent" in page.html


def test_of_one_that_is_off_the_default_in_force_is_named(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "cache.codec"
    acts.set_stage(actor(), key, stage=5, target="gzip", rest="base64", reason=WHY)
    acts.disable(actor("admin"), key, reason=WHY)
    flag_world.fleet(8)
    flag_world.asked(monkeypatch, {key: {"default": 900, "gzip": 100}})
    page = see(operator, f"/flags/{key}/")
    text = page.text.replace("\u202f", " ")
    for said in (
        "Off: each process goes by its own default.",
        "switched on, it stands again at gzip on 5 %, base64 else.",
        "once on: within it gzip , the others base64",
        "nobody is within the stage now",
        "zstd-fast own default",
        "zstd-fast , its own default, on 8 of 8 workers",
        "90.0 % got their own default, 100 % asked",
        "own default 90.0 % 900 a minute",
        "8 of 8 up go by their own default",
    ):
        assert said in text, said
    assert _part(page, "flag-workers").text.count("zstd-fast · its own default") == 8
    for untrue in ("Baked", "a plan waits", "got gzip", "default on 8", "not yet as wanted"):
        assert untrue not in text, untrue


def test_a_worker_that_has_not_heard_that_it_is_off_is_seen(operator: Client, see: See) -> None:
    """What it said while the flag was on is what it goes by."""
    acts.disable(actor("admin"), EVICTION, reason=WHY)
    page = see(operator, ADDRESS)
    assert "s3fifo on 8 of 8 workers" in page.text
    assert "0 of 8 up go by their own default" in page.text
    assert _part(page, "flag-workers").text.count("s3fifo · not yet as wanted") == 8


def test_one_that_is_gone_is_grey_and_not_counted(operator: Client, see: See) -> None:
    _quarter()
    acts.set_stage(actor(), EVICTION, stage=100, target="tinylfu", rest="s3fifo", reason=WHY)
    for key in valkey.client().keys("switchyard:worker:*"):
        valkey.client().expire(key, 300)  # as five minutes after its last word
    workers = _part(see(operator, ADDRESS), "flag-workers")
    assert workers.text.count("Gone · had ") == 8
    assert "not yet as wanted" not in workers.text
    assert "0 of 0 up have tinylfu by the stage" in workers.text
    assert "state-half" not in workers.html


def test_without_two_readings_nothing_is_drawn(operator: Client, see: See) -> None:
    page = see(operator, ADDRESS)
    assert "There are no two readings of late to compare." in page.text
    assert "asked for 100 percent" not in page.html


def test_who_has_not_heard_is_named(operator: Client, see: See) -> None:
    flag = _quarter()
    flag_world.fleet(2, acknowledged=flag.revision - 1)
    page = see(operator, ADDRESS)
    assert "6 of 8 acknowledge; waiting for 4700@rack-0, 4701@rack-1 ." in page.text


def test_a_process_that_cannot_decide_is_seen(operator: Client, see: See) -> None:
    flag_world.fleet(8, reason="ERROR")
    assert "Failing · on 8 of 8" in see(operator, ADDRESS).text


def test_no_worker_reports_is_said(operator: Client, see: See) -> None:
    page = see(operator, "/flags/api.quotas/")
    assert "Web processes have it; they do not report one by one." in page.text


def test_what_it_needs_and_what_shares_its_layer(admin: Client, see: See) -> None:
    made = {"variants": {"off": "off", "on": "on"}, "fleet": "worker", "unit": "process"}
    needs = [{"flag": EVICTION, "variant": "s3fifo"}]
    definition_acts.create(actor("admin"), "shop.cart", made | {"requires": needs}, reason=WHY)
    acts.set_stage(actor(), "shop.cart", stage=100, reason=WHY)
    _quarter()
    page = see(admin, "/flags/shop.cart/")
    assert "Held · nobody has it: waits for" in page.text
    assert f"It needs {EVICTION} at s3fifo everywhere, and that is tinylfu on 25 %" in page.text
    assert f"{EVICTION} at 25 %" in see(admin, "/flags/cache.l1_size/").text


def test_a_plan_shows_its_steps_and_what_became_of_it(operator: Client, see: See) -> None:
    now = timezone.now()
    steps = [(now + timedelta(minutes=m), stage) for m, stage in ((1, 5), (30, 25))]
    plans.plan(actor(), "rpc.hedging", steps, reason=WHY)
    page = see(operator, "/flags/rpc.hedging/")
    plan = _part(page, "flag-plan").text
    assert "5 % in" in plan
    assert "25 % in" in plan
    assert "/flags/rpc.hedging/cancel-plan/" in page.hrefs()
    acts.set_stage(actor(name="eve"), "rpc.hedging", stage=50, reason=WHY)
    plan = _part(see(operator, "/flags/rpc.hedging/"), "flag-plan").text
    assert plan.count(f"lapsed eve changed the flag: {WHY}") == 2


def test_a_freeze_says_until_when(operator: Client, see: See) -> None:
    until = timezone.now() + timedelta(hours=2)
    freezing.freeze(actor(), EVICTION, until, reason="the quarter is closed")
    page = see(operator, ADDRESS)
    assert f"it is not raised until {until:%Y-%m-%d %H:%M} UTC" in page.text
    assert f"{ADDRESS}thaw/" in page.hrefs()


def test_one_that_nothing_reads_says_why_it_cannot_be_moved(operator: Client, see: See) -> None:
    Flag.objects.filter(key="db.pool_formula").update(wired=False)
    page = see(operator, "/flags/db.pool_formula/")
    assert "not wired yet" in page.text
    assert not [href for href in page.hrefs() if "/stage/" in href or "/roll-back/" in href]


def test_the_optimisation_behind_it_and_its_definition(operator: Client, see: See) -> None:
    page = see(operator, "/flags/cache.codec/")
    assert "1.4 Real compression instead of Base64 roadmap" in page.text
    shown = json.loads(page.text.partition("As flagd reads it")[2].partition("Changes by")[0])
    assert shown["cache.codec"]["defaultVariant"] == "zstd-fast"


def test_its_history_reads_in_words_with_a_way_back(operator: Client, see: See) -> None:
    _quarter()
    page = see(operator, ADDRESS)
    assert "ada s3fifo → tinylfu on 25 %, s3fifo else Revert…" in page.text


def test_a_viewer_sees_and_is_offered_nothing(viewer: Client, see: See) -> None:
    _quarter()
    page = see(viewer, ADDRESS)
    assert "2 of 8 processes, 25 % of items" in page.text
    assert {href for href in page.hrefs() if href.startswith(ADDRESS) and "?" not in href} == {
        *(ADDRESS, f"{ADDRESS}export/"),
    }


def test_one_that_is_not_there_is_not_found(operator: Client) -> None:
    assert operator.get("/flags/no.such_flag/").status_code == 404
    assert operator.get("/flags/no.such_flag/stage/").status_code == 404
    assert topics.render_flag("no.such_flag", Role.ADMIN) == {}


def test_the_live_regions_are_elements_of_the_page(admin: Client, see: See) -> None:
    page = see(admin, ADDRESS)
    regions = topics.render_flag(EVICTION, Role.ADMIN)
    assert len(regions) == 9  # fewer than the stream takes
    for name, html in regions.items():
        assert page.ids().count(name) == 1, name
        assert Page(html).tags[0][1]["id"] == name
        assert "csrfmiddlewaretoken" not in html
    viewers = topics.render_flag(EVICTION, Role.VIEWER)
    assert "/stage/" not in "".join(viewers.values())
