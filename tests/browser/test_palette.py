"""Ctrl-K finds anything by keys alone; `g r` opens the roadmap."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LATE_TIMERS, NewTab, stop_the_clock

pytestmark = pytest.mark.slow


def test_an_optimisation_is_opened_by_its_id_without_a_mouse(new_tab: NewTab) -> None:
    tab = new_tab("viewer")
    tab.goto("/audit/")
    tab.keyboard.press("Control+k")
    field = tab.locator("#palette-q")
    expect(field).to_be_focused()
    # Without a word it names the pages.
    expect(tab.locator("#palette-found a").first).to_contain_text("Overview")
    field.fill("ov.3.1")
    expect(tab.locator("#palette-found a").first).to_contain_text("Independent calls at once")
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("#palette-found a").first).to_be_focused()
    tab.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r"/roadmap/"))


def test_it_answers_a_hand_that_is_quicker_than_the_page(new_tab: NewTab) -> None:
    tab = new_tab("viewer")
    tab.add_init_script(LATE_TIMERS)
    tab.goto("/audit/")
    tab.keyboard.press("Control+k")
    expect(tab.locator("#palette-found a").first).to_contain_text("Overview")


def test_what_was_typed_last_is_found_while_an_earlier_answer_is_late(new_tab: NewTab) -> None:
    tab = new_tab("viewer")
    late = re.compile(r"/find/\?q=ov$")
    tab.route(late, lambda route: None)
    tab.goto("/audit/")
    tab.keyboard.press("Control+k")
    found = tab.locator("#palette-found a").first
    expect(found).to_contain_text("Overview")
    with tab.expect_request(late):
        tab.locator("#palette-q").fill("ov")
    tab.locator("#palette-q").fill("ov.3.1")
    expect(found).to_contain_text("Independent calls at once")


def test_it_opens_by_a_click_closes_by_escape_and_asks_nothing_twice(new_tab: NewTab) -> None:
    tab = new_tab("viewer")
    tab.goto("/workers/")
    tab.get_by_role("link", name="Find anything").click()
    expect(tab.locator("#palette")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#palette")).to_be_hidden()
    assert tab.url.endswith("/workers/")


def test_g_r_opens_the_roadmap_and_slash_searches_it(new_tab: NewTab) -> None:
    tab = new_tab("viewer")
    stop_the_clock(tab)
    tab.goto("/audit/")
    tab.keyboard.press("g")
    tab.keyboard.press("r")
    tab.wait_for_url(re.compile(r"/roadmap/$"))
    tab.keyboard.press("/")
    expect(tab.locator("#q")).to_be_focused()
    tab.keyboard.type("zstd")
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r"q=zstd"))
    expect(tab.locator("#roadmap-view")).to_contain_text("Also with “zstd”")


def test_without_a_script_the_same_is_a_page(new_tab: NewTab) -> None:
    tab = new_tab("viewer", java_script_enabled=False)
    tab.goto("/audit/")
    tab.get_by_role("link", name="Find anything").click()
    tab.wait_for_url(re.compile(r"/find/$"))
    tab.locator("#find-q").fill("bn.2")
    tab.get_by_role("button", name="Find").click()
    expect(tab.locator(".found a").first).to_contain_text("bn.2")
    tab.goto("/roadmap/?view=list")
    tab.locator("#phase").select_option("roadmap.2")
    tab.get_by_role("button", name="Show", exact=True).click()
    tab.wait_for_url(re.compile(r"phase=roadmap\.2"))
    expect(tab.locator("footer").first).to_contain_text("Showing 6 of 96")
