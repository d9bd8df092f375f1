"""The list of flags: how far each is in words, grouped, filtered and sorted by the address."""

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
from tests.flags.made import WHY, actor
from tests.pages import flag_world
from tests.pages.conftest import Page
from tests.pages.flag_world import EVICTION, FETCH
from tests.rehearsals.made_up import all_drilled

See = Callable[..., Page]


@pytest.fixture(autouse=True)
def world(db: None) -> None:
    flag_world.fleet(8)
    all_drilled()


def _row(page: Page, key: str) -> str:
    """The text of a flag's row in the table."""
    html = next(part for part in page.html.split("<tr ") if f">{key}</span>" in part)
    return Page(html.partition("</tr>")[0]).text


def test_each_flag_says_how_far_it_is(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts.set_stage(actor(), EVICTION, stage=25, target="tinylfu", rest="s3fifo", reason=WHY)
    acts.disable(actor("admin"), "cache.l1_ttl", reason=WHY)
    Flag.objects.filter(key="db.pool_formula").update(wired=False)
    flag_world.fleet(8)
    flag_world.asked(monkeypatch, {EVICTION: {"tinylfu": 300, "s3fifo": 900}})
    page = see(operator, "/flags/")
    said = {
        EVICTION: "Rolling out · 25 % Eviction from L1 cache.l1_eviction tinylfu on 25 %, else "
        "s3fifo 25 % processes workers 8 of 8 1 200",
        FETCH: "In force · on all How an item's calls are asked rpc.fetch_mode coalesced 100 % "
        "items workers 8 of 8",
        "rpc.hedging": "Baseline · on all Hedged calls rpc.hedging off 0 %",
        "cache.l1_ttl": "Off · own defaults hold Time in L1 cache.l1_ttl 0 own default – ",
        "db.pool_formula": "Not wired · nothing reads it",
        "web.compression": "brotli 100 % processes web –",
    }
    for key, words in said.items():
        assert words in _row(page, key).replace("\u202f", " "), (key, _row(page, key))
    assert "Stage 25 percent, next 50 percent" in page.html
    assert "Showing 28 of 28" in page.text
    assert "1 of 28 flags stand between 0 and 100 %" in page.text
    assert "2 changed by operators, 1 off" in page.text


def test_they_are_grouped_by_area(operator: Client, see: See) -> None:
    page = see(operator, "/flags/")
    places = [page.text.index(f" {name} {number} ") for name, number in (
        ("Caches", 9), ("Calls to nodes", 8), ("Breakers", 2), ("Web", 4), ("Database", 3),
    )]  # fmt: skip
    assert places == sorted(places)
    definition_acts.create(actor("admin"), "rpc.of_a_shop", {"variants": {"a": "x"}}, reason=WHY)
    assert "Other services 1 " in see(operator, "/flags/").text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("area=breaker", {"breaker.use", "breaker.window"}),
        ("q=TINYLFU", {EVICTION}),
        ("q=keep-alive", {"rpc.keep_alive"}),
        ("state=baseline&area=rpc", {"rpc.hedging"}),
        ("state=nonsense&area=nonsense&q=rpc.retry&sort=nonsense", {"rpc.retry"}),
    ],
)
def test_the_address_filters(operator: Client, query: str, shown: set[str]) -> None:
    rows = json.loads(b"".join(operator.get(f"/flags/?{query}&format=json")))
    assert {row["key"] for row in rows} == shown


def test_the_address_sorts(operator: Client) -> None:
    acts.set_stage(actor(), "rpc.hedging", stage=5, reason=WHY)

    def first(sort: str) -> str:
        body = b"".join(operator.get(f"/flags/?sort={sort}&format=csv"))
        return next(csv.DictReader(io.StringIO(body.decode())))["key"]

    assert [first(sort) for sort in ("area", "key", "stage", "changed")] == [
        *("cache.codec", "api.quotas", "rpc.hedging", "rpc.hedging"),
    ]


def test_none_match_and_none_yet_say_so(operator: Client, admin: Client, see: See) -> None:
    page = see(operator, "/flags/?q=no+such+flag")
    assert "None match" in page.text
    assert "Show all flags" in page.text
    Flag.objects.all().delete()
    assert "No flag yet" in see(operator, "/flags/").text
    assert "Add a flag…" in see(admin, "/flags/").text


def test_who_has_not_heard_is_told(operator: Client, see: See) -> None:
    flag = acts.set_stage(actor(), "rpc.hedging", stage=50, reason=WHY)
    flag_world.fleet(2, acknowledged=flag.revision - 1)
    page = see(operator, "/flags/?q=hedging")
    assert "6 of 8" in _row(page, "rpc.hedging")
    assert "the others go by what they knew" in page.text


def test_a_freeze_of_all_stands_above_with_its_end(operator: Client, see: See) -> None:
    until = timezone.now() + timedelta(hours=3)
    freezing.freeze(actor(), "", until, reason="no change over the weekend")
    page = see(operator, "/flags/")
    assert f"no stage is raised until {until:%Y-%m-%d %H:%M} UTC , in " in (
        page.text.replace("\u202f", " ")
    )
    assert "no change over the weekend" in page.text
    assert "/flags/-/thaw/" in page.hrefs()


def test_the_next_planned_step_is_told(operator: Client, see: See) -> None:
    at = timezone.now() + timedelta(minutes=30)
    plans.plan(actor(), "rpc.hedging", [(at, 5)], reason=WHY)
    page = see(operator, "/flags/")
    assert "Next planned 5 % in " in page.text.replace("\u202f", " ")
    assert "→ 5 % planned" in _row(page, "rpc.hedging")


def test_a_viewer_sees_and_is_offered_nothing(viewer: Client, see: See) -> None:
    page = see(viewer, "/flags/")
    assert "Eviction from L1" in page.text
    offered = ("stage", "roll-back", "plan", "freeze", "add", "import")
    assert not [href for href in page.hrefs() if any(f"/{act}/" in href for act in offered)]


def test_the_live_regions_are_elements_of_the_page(admin: Client, see: See) -> None:
    page = see(admin, "/flags/")
    regions = topics.render_flags("", Role.ADMIN)
    assert set(regions) == {"flags-freeze", "flags-figures", "flags-list", "flags-history"}
    for name, html in regions.items():
        assert page.ids().count(name) == 1
        assert Page(html).tags[0][1]["id"] == name
    narrowed = see(admin, "/flags/?area=rpc").ids()
    assert "flags-list" not in narrowed  # it asks for itself
    assert "flags-found" in narrowed


def test_the_overview_tells_what_was_changed(operator: Client, see: See) -> None:
    acts.set_stage(actor(), "rpc.hedging", stage=5, reason=WHY)
    page = see(operator, "/")
    assert "ada rpc.hedging off → p95 on 5 %, off else" in page.text
    assert "/flags/rpc.hedging/" in page.hrefs()
