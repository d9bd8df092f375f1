"""How a tab behaves: keys, dialogs, pause, silence, theme; and that it works without scripts."""

import re
import secrets
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Page, Route, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import NewTab, stop_the_clock
from tests.browser.stack import Stack

pytestmark = pytest.mark.slow


@pytest.fixture
def stuck_run(stack: Stack, tab: Page) -> Iterator[str]:
    """The address of a run that does not end by itself: its node never answers in time."""
    try:
        stack.faults(latency_ms=60_000)
        tab.goto("/validations/new/")
        # Never asked for before: what a cache knows needs no node.
        hashes = [f"0x{secrets.token_hex(32)}" for _ in range(300)]
        tab.get_by_label("Subjects").fill("\n".join(hashes))
        tab.get_by_role("button", name="Start 300 items").click()
        tab.wait_for_url(re.compile(r"/validations/\d+/$"))
        yield tab.url
    finally:
        stack.faults(latency_ms=0)


def _wait_live(tab: Page) -> None:
    expect(tab.locator("#live[data-live=live]")).to_be_visible()


def _hear_again(tab: Page) -> None:
    """Waits for the next beat of the stream's heart."""
    tab.evaluate(
        """() => new Promise((done) => document.getElementById("stream")
             .addEventListener("heartbeat", () => done(), {once: true}))"""
    )


def test_pages_by_keys(stack: Stack, tab: Page) -> None:
    stop_the_clock(tab)
    tab.goto("/")
    for keys, path in (
        ("gw", "/workers/"),
        ("gv", "/validations/"),
        ("gb", "/breakers/"),
        ("gp", "/pools/"),
        ("gc", "/caches/"),
        ("gd", "/database/"),
        ("gl", "/capacity/"),
        ("ga", "/alerts/"),
        ("gt", "/audit/"),
        ("go", "/"),
    ):
        for key in keys:
            tab.keyboard.press(key)
        tab.wait_for_url(f"{stack.url}{path}")


def test_search_takes_the_focus_and_keys_are_letters_there(tab: Page) -> None:
    tab.goto("/validations/")
    tab.keyboard.press("/")
    expect(tab.locator("#q")).to_be_focused()
    tab.keyboard.type("gv?p")
    expect(tab.locator("#q")).to_have_value("gv?p")
    expect(tab.locator("#keys")).to_be_hidden()


def test_help_lists_the_keys_and_can_switch_them_off(tab: Page) -> None:
    tab.goto("/workers/")
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog")).to_be_visible()
    tab.get_by_label("Single-key shortcuts are on").uncheck()
    tab.keyboard.press("Escape")
    expect(tab.locator("#keys")).to_be_hidden()
    tab.reload()
    tab.keyboard.press("?")
    expect(tab.locator("#keys")).to_be_hidden()


def test_rows_by_keys(tab: Page, stuck_run: str) -> None:
    tab.goto(stuck_run)
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    tab.keyboard.press("k")
    expect(tab.locator("tr[data-current]")).to_have_attribute("id", "item-0")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/items/0/")


def test_an_update_keeps_the_chosen_row_and_an_open_menu(tab: Page) -> None:
    tab.goto("/validations/new/")
    tab.get_by_label("Subjects").fill("block:0-49")
    tab.get_by_role("button", name="Start 50 items").click()
    expect(tab.locator("#run-live .state").first).to_contain_text("Done", timeout=60_000)
    tab.keyboard.press("j")
    tab.locator("#run-actions summary").click()
    for region in ("run-list", "run-tabs", "run-actions"):
        # What the stream and the table's own refresh do: the same element again, as first drawn.
        tab.evaluate(
            """(id) => fetch(location.href).then((r) => r.text()).then((html) => htmx.swap({
                 text: `<hx-partial hx-target="#${id}" hx-swap="outerMorph">${
                   new DOMParser().parseFromString(html, 'text/html').getElementById(id).outerHTML
                 }</hx-partial>`, target: document.body, swap: 'none', sourceElement: document.body,
               }))""",
            region,
        )
    expect(tab.locator("tr[data-current]")).to_have_count(1)
    expect(tab.get_by_role("link", name="CSV, for spreadsheets")).to_be_visible()


def test_the_skip_link_is_first_and_leads_to_the_content(tab: Page) -> None:
    tab.goto("/")
    tab.keyboard.press("Tab")
    skip = tab.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("main")).to_be_focused()


def test_cancel_asks_in_a_dialog_that_escape_closes(tab: Page, stuck_run: str) -> None:
    tab.goto(stuck_run)
    cancel = tab.get_by_role("link", name="Cancel 300 waiting")
    cancel.click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("300 items are not validated")
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cancel).to_be_focused()
    cancel.click()
    dialog.get_by_role("link", name="Keep it running").click()
    expect(dialog).to_be_hidden()
    assert tab.url == stuck_run
    cancel.click()
    dialog.get_by_role("button", name="Cancel 300 waiting items").click()
    expect(tab.locator("#run-live .state").first).to_have_text("Cancelled · 300 not validated")
    expect(tab.get_by_role("status").filter(has_text="is cancelled")).to_be_visible()


def test_another_tab_sees_it_without_a_reload(new_tab: NewTab, tab: Page, stuck_run: str) -> None:
    watcher = new_tab("viewer")
    watcher.goto(stuck_run)
    _wait_live(watcher)
    assert watcher.get_by_role("link", name=re.compile("Cancel")).count() == 0
    tab.goto(f"{stuck_run}cancel/")
    tab.get_by_role("button", name=re.compile("Cancel 300")).click()
    expect(watcher.locator("#run-live .state").first).to_contain_text("Cancelled")


def test_pause_holds_and_resume_catches_up(tab: Page, new_tab: NewTab, stuck_run: str) -> None:
    other = new_tab()
    tab.goto(stuck_run)
    _wait_live(tab)
    tab.keyboard.press("p")
    expect(tab.locator("#live")).to_contain_text("Paused at")
    expect(tab.get_by_role("button", name="Resume")).to_be_visible()
    other.goto(f"{stuck_run}cancel/")
    other.get_by_role("button", name=re.compile("Cancel 300")).click()
    expect(other.locator("#run-live .state").first).to_contain_text("Cancelled")
    other.goto("/workers/")  # a run that ended has no stream
    _wait_live(other)
    _hear_again(other)  # whoever listens has heard of it by then
    expect(tab.locator("#run-live .state").first).to_contain_text("Running")
    tab.get_by_role("button", name="Resume").click()
    expect(tab.locator("#run-live .state").first).to_contain_text("Cancelled")


def test_a_stream_that_is_answered_late_is_asked_for_once(tab: Page) -> None:
    streams = re.compile(r"/events\?")
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    tab.route(streams, hold_the_first)
    tab.clock.install()
    with tab.expect_request(streams):
        tab.goto("/workers/")
    tab.clock.run_for(11_000)  # in which it would be opened anew twice, had it failed
    asked[0].continue_()
    _wait_live(tab)
    _hear_again(tab)
    assert len(asked) == 1


def test_silence_is_called_stale_and_ends(tab: Page, stack: Stack) -> None:
    tab.clock.install()
    tab.goto("/")
    _wait_live(tab)
    with stack.silent():
        tab.clock.run_for(14_000)
        expect(tab.locator("#live")).to_contain_text(re.compile(r"Stale since \d\d:\d\d:\d\d"))
        expect(tab.locator("#live-said")).to_contain_text("Stale since")
    # An attempt is given up by the tab's clock, and answered by the machine's: one may be too slow.
    for _ in range(3):
        tab.clock.run_for(70_000)  # past the longest wait between attempts
        with suppress(PlaywrightTimeout):
            tab.locator("#live[data-live=live]").wait_for(timeout=20_000)
            break
    _wait_live(tab)


def test_the_theme_is_chosen_and_kept(tab: Page) -> None:
    tab.emulate_media(color_scheme="light")
    tab.goto("/workers/")
    light = tab.evaluate("getComputedStyle(document.body).color")
    tab.locator("summary").first.click()
    tab.get_by_role("button", name="Dark").click()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    assert tab.url.endswith("/workers/")
    expect(tab.locator("body")).not_to_have_css("color", light)
    tab.goto("/")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")


def test_all_of_it_without_scripts(new_tab: NewTab) -> None:
    tab = new_tab(java_script_enabled=False)
    tab.goto("/")
    tab.get_by_role("link", name="Validate…").click()
    tab.get_by_text("Block range").click()
    expect(tab.get_by_label("Subjects")).to_be_hidden()
    tab.get_by_label("First", exact=True).fill("5")
    tab.get_by_label("Last, included").fill("3")
    tab.get_by_role("button", name="Start").click()
    expect(tab.locator("#last-error")).to_contain_text("comes before")
    tab.get_by_label("Last, included").fill("9")
    tab.get_by_role("button", name="Start").click()
    tab.wait_for_url(re.compile(r"/validations/\d+/$"))
    # Workers may still wait for the answers that another test's node never gave.
    for _ in range(200):
        tab.reload()
        if tab.locator("#run-live .state", has_text="Done").count():
            break
        tab.wait_for_timeout(200)
    expect(tab.locator("#run-live .state").first).to_have_text("Done · all valid")
    tab.get_by_role("link", name="block:7").click()
    expect(tab.locator("#subject")).to_have_text("block:7")
    tab.get_by_role("link", name="Validations").first.click()
    tab.locator("#q").fill("nothing is called so")
    tab.get_by_role("button", name="Search").click()
    expect(tab.get_by_text("None match")).to_be_visible()


def test_a_preview_counts_and_names_bad_lines(tab: Page) -> None:
    tab.goto("/validations/new/")
    tab.get_by_label("Subjects").fill("block:1-20\nnonsense")
    expect(tab.locator("#preview")).to_contain_text("20 items")
    expect(tab.locator("#preview")).to_contain_text("line 2")
    tab.get_by_role("button", name="Start 20 items").click()
    expect(tab.get_by_role("button", name="Start the 20 good ones")).to_be_visible()
    tab.wait_for_load_state()
    tab.get_by_role("link", name="Discard").click()
    tab.get_by_role("dialog").get_by_role("button", name="Discard 20 items").click()
    tab.wait_for_url("**/validations/")


def test_what_was_typed_last_is_counted_while_an_earlier_answer_is_late(tab: Page) -> None:
    late: list[Route] = []
    tab.route("**/preview/", lambda route: route.continue_() if late else late.append(route))
    with tab.expect_request("**/preview/"):  # as soon as the page is there
        tab.goto("/validations/new/")
    tab.get_by_label("Subjects").fill("block:1-20")
    expect(tab.get_by_role("button", name="Start 20 items")).to_be_visible()
