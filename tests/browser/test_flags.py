"""Flags in a browser: ramp one to a quarter, see who has it and what share, and take it back."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from django.test import override_settings
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from console.flags import evaluations
from monitoring import valkey
from tests.browser.conftest import NewTab, stop_the_clock
from tests.browser.stack import Stack
from tests.browser.test_accessible import PHONE, TAGS, WIDE
from validation.devnode.chain import Chain

pytestmark = pytest.mark.slow
FETCH, EVICTION, UNTRIED = "rpc.fetch_mode", "cache.l1_eviction", "cache.codec"
SHIPPED = {FETCH: "coalesced", EVICTION: "s3fifo", UNTRIED: "zstd-fast"}
WHY = "see what a quarter of it does"
_READ_S = 15.0


@pytest.fixture(scope="module", autouse=True)
def _rehearsed(stack: Stack) -> None:
    """All but the one whose drill a test makes."""
    stack.manage("shell", "-v0", "-c", _REHEARSED)


_REHEARSED = f"""
from console.rehearsals.models import Rehearsal
from tests.rehearsals.made_up import all_drilled
all_drilled()
Rehearsal.objects.filter(flag="{UNTRIED}").delete()
"""


@pytest.fixture
def as_shipped(stack: Stack) -> Iterator[None]:
    """Whatever a test does to them, both are afterwards as they were."""
    yield
    stack.manage("shell", "-v0", "-c", _RESTORE)


_RESTORE = f"""
from console.access.audit import Actor
from console.flags import acts
from console.flags.models import Flag
for key, variant in {SHIPPED}.items():
    flag = Flag.objects.get(pk=key)
    if (flag.target, flag.rest, flag.stage) != (variant, flag.baseline, 100):
        acts.set_stage(Actor.at_terminal("test@here"), key, stage=100, target=variant,
                       rest=flag.baseline, unrehearsed=True, reason="back to what ships")
"""


@pytest.fixture
def read(stack: Stack) -> Iterator[Callable[[], None]]:
    """Takes a reading of evaluations, as the scheduler does every ten seconds."""
    valkey.client.cache_clear()

    def take() -> None:
        until = time.monotonic() + _READ_S
        while time.monotonic() < until:
            # An answer of the cache server that is late is no reading.
            with suppress(redis.RedisError):
                if evaluations.take():
                    return
            time.sleep(0.2)
        raise AssertionError("nobody could take a reading")

    with override_settings(REDIS_URL=stack.environment["REDIS_URL"]):
        yield take
    valkey.client.cache_clear()


def _stage(tab: Page, key: str, variant: str, stage: int) -> None:
    """By the dialog of the page."""
    tab.goto(f"/flags/{key}/")
    tab.get_by_role("link", name=f"Roll out {variant}", exact=True).click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(WHY)
    dialog.get_by_label("Stage, percent").fill(str(stage))
    # The dialog asks again what that would reach; what was typed stays.
    button = dialog.get_by_role("button", name=re.compile(rf"Set to {stage}\s%"))
    expect(button).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_have_value(WHY)
    button.click()
    tab.locator(".notice").get_by_text(f"{variant} on {stage} %").wait_for()


def _validate(tab: Page, hashes: list[str]) -> None:
    tab.goto("/validations/new/")
    tab.get_by_label("Subjects").fill("\n".join(hashes))
    tab.get_by_role("button", name=re.compile(r"Start \d")).click()
    expect(tab.locator("#run-live .state").first).to_contain_text("Done", timeout=60_000)


def test_a_quarter_of_the_items_and_back(
    new_tab: NewTab, read: Callable[[], None], as_shipped: None
) -> None:
    tab = new_tab("operator")
    _stage(tab, FETCH, "batch", 25)
    workers = tab.locator("#flag-workers tbody tr")
    expect(workers).to_have_count(2)
    for at in range(2):
        expect(workers.nth(at)).to_contain_text("25 % of its items")
    expect(tab.locator("#flag-standing")).to_contain_text("Acknowledged by 2 of 2")
    read()
    _validate(tab, Chain.load().transactions[1_000:1_400])
    tab.goto(f"/flags/{FETCH}/")
    measured = tab.locator("#flag-standing").get_by_text(
        re.compile(r"[\d.]+.% got batch, 25 % asked")
    )
    # What the workers counted last they may not have told yet: readings go on, as in service.
    for _ in range(4):
        read()
        # While nobody reloads.
        with suppress(PlaywrightTimeout):
            measured.wait_for(timeout=15_000)
            break
    expect(measured).to_be_visible()
    share = float(measured.inner_text().split("\u202f")[0])
    assert 15 < share < 35
    tab.get_by_role("link", name="Roll back…").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("a quarter was enough to know")
    dialog.get_by_role("button", name="Roll back on 2 processes").click()
    expect(tab.locator("#flag-standing")).to_contain_text("sequential on 2 of 2 workers")
    expect(tab.locator("#flag-standing .state").first).to_have_text("Baseline · on all")
    history = tab.locator("#flag-history li").first
    expect(history).to_contain_text("batch on 25 %, coalesced else → sequential")
    expect(history.get_by_role("link", name=re.compile("Revert"))).to_be_visible()


def test_one_of_two_workers_and_undone_at_one_click(new_tab: NewTab, as_shipped: None) -> None:
    tab = new_tab("operator")
    _stage(tab, EVICTION, "tinylfu", 25)
    # It stands for ten seconds: nothing else is looked at before.
    tab.get_by_role("button", name="Undo").click()
    workers = tab.locator("#flag-workers")
    expect(workers.get_by_text("s3fifo · within the stage")).to_have_count(2)
    _stage(tab, EVICTION, "tinylfu", 25)
    expect(workers.get_by_text("tinylfu · within the stage")).to_have_count(1)
    expect(workers.get_by_text("s3fifo · rest")).to_have_count(1)


def test_what_was_typed_last_is_reckoned_while_an_earlier_answer_is_late(tab: Page) -> None:
    late = re.compile(r"/stage/\?(.*&)?stage=1(&|$)")
    tab.route(late, lambda route: None)
    tab.goto(f"/flags/{EVICTION}/")
    tab.get_by_role("link", name="Roll out tinylfu", exact=True).click()
    dialog = tab.get_by_role("dialog")
    with tab.expect_request(late):
        dialog.get_by_label("Stage, percent").fill("1")
    dialog.get_by_label("Stage, percent").fill("50")
    expect(dialog.get_by_role("button", name=re.compile(r"Set to 50\s%"))).to_be_visible()


def test_who_was_slower_keeps_what_they_typed(new_tab: NewTab, as_shipped: None) -> None:
    slow, fast = new_tab("operator"), new_tab("admin")
    slow.goto(f"/flags/{EVICTION}/")
    slow.get_by_role("link", name="Roll out lru", exact=True).click()
    dialog = slow.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("lru is simpler to explain")
    _stage(fast, EVICTION, "tinylfu", 50)
    dialog.get_by_role("button", name=re.compile("Set to")).click()
    expect(dialog).to_contain_text("Somebody was faster. the-admin changed this")
    expect(dialog).to_contain_text("tinylfu on 50 %, s3fifo else")
    expect(dialog.get_by_label("Reason")).to_have_value("lru is simpler to explain")


def test_what_nobody_has_yet_is_rehearsed_before_it_is_set(
    new_tab: NewTab, stack: Stack, as_shipped: None
) -> None:
    tab = new_tab("operator")
    tab.goto(f"/flags/{UNTRIED}/")
    tab.get_by_role("link", name="Roll out gzip", exact=True).click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("no drill of this code")
    expect(dialog.get_by_role("button", name=re.compile("Set to"))).to_have_count(0)
    dialog.get_by_role("link", name="Rehearse gzip…").click()
    expect(dialog).to_contain_text(f"Rehearse the way back of {UNTRIED}?")
    dialog.get_by_label("Reason").fill("to know the way back first")
    dialog.get_by_role("button", name="Rehearse it").click()
    expect(tab.locator("#flag-rollout")).to_contain_text(
        "passed, the baseline back", timeout=60_000
    )
    tab.get_by_role("link", name="Roll out gzip", exact=True).click()
    dialog.get_by_label("Reason").fill("its way back is known now")
    dialog.get_by_role("button", name=re.compile("Set to 5")).click()
    expect(tab.locator("#flag-standing")).to_contain_text("gzip on 5 %")


def test_by_keyboard_alone(new_tab: NewTab, as_shipped: None) -> None:
    tab = new_tab("operator")
    stop_the_clock(tab)
    tab.goto("/")
    tab.keyboard.press("g")
    tab.keyboard.press("f")
    tab.wait_for_url("**/flags/")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/flags/cache.codec/")
    step = tab.locator(".stages a").nth(1)
    step.focus()
    tab.keyboard.press("Enter")
    tab.get_by_role("dialog").get_by_label("Reason").wait_for()
    tab.keyboard.press("Escape")
    expect(tab.locator("#dialog")).not_to_be_visible()


def test_without_scripts_a_phone_rolls_back(new_tab: NewTab, as_shipped: None) -> None:
    tab = new_tab("operator", java_script_enabled=False, viewport=PHONE)
    tab.goto(f"/flags/{EVICTION}/")
    tab.get_by_role("link", name=re.compile("^5 %")).click()
    tab.wait_for_url("**/stage/?stage=5")
    tab.get_by_label("Reason").fill(WHY)
    tab.get_by_role("button", name=re.compile("Set to")).click()
    expect(tab.locator("#flag-standing")).to_contain_text("s3fifo on 5 %, else fifo")
    tab.get_by_role("link", name="Roll back…").click()
    tab.get_by_label("Reason").fill("taken back on a phone")
    tab.get_by_role("button", name="Roll back on 2 processes").click()
    expect(tab.locator("#flag-standing .state").first).to_have_text("Baseline · on all")


ADDRESSES = (
    *("/flags/", "/flags/?state=off", f"/flags/{FETCH}/", "/flags/db.pool_formula/"),
    *(f"/flags/{EVICTION}/{act}/" for act in ("stage", "roll-back", "freeze", "edit", "disable")),
    *("/flags/rpc.hedging/plan/", "/flags/-/import/", "/flags/-/add/"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(new_tab: NewTab, axe: str, scheme: str) -> None:
    found = []
    for size in (WIDE, PHONE):
        tab = new_tab("admin", color_scheme=scheme, viewport=size, reduced_motion="reduce")
        for address in ADDRESSES:
            tab.goto(address)
            tab.evaluate(axe)
            script = "(tags) => axe.run({runOnly: tags}).then((r) => r.violations)"
            found += [
                (address, size["width"], violation["id"], node["html"][:200])
                for violation in tab.evaluate(script, TAGS)
                for node in violation["nodes"]
            ]
    assert found == []


@pytest.mark.parametrize("width", [320, 390, 768, 1_024, 1_440])
def test_nothing_scrolls_sideways(new_tab: NewTab, width: int) -> None:
    tab = new_tab("admin", viewport={"width": width, "height": 800})
    for address in ADDRESSES:
        tab.goto(address)
        over = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, (address, over)
