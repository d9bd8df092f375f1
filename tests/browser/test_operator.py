"""The operator at work in a browser: dialogs with their errors, undo, keys, and without scripts."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from monitoring import snapshots
from tests.browser.conftest import LATE_TIMERS, NewTab
from tests.fleet import wait_until
from tests.made_up_fleet import BLOCK, LOOKUP, a_worker, publish

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("made_up")]
ADDRESS = f"/breakers/{LOOKUP}/"


@pytest.fixture(autouse=True)
def left_to_itself(tab: Page) -> Iterator[None]:
    """Whatever a test wanted is wanted no more after it."""
    yield
    for name in (LOOKUP, BLOCK):
        tab.goto(f"/breakers/{name}/auto/")
        tab.get_by_label("Reason").fill("the test is over now")
        tab.get_by_role("button", name="Back to auto").click()
        expect(tab.locator("#breaker-standing")).to_contain_text("left to itself")


def _ask(tab: Page, act: str = "Force open…") -> Locator:
    tab.goto(ADDRESS)
    tab.get_by_role("link", name=act).click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_force_open_through_the_dialog_and_undo(tab: Page, new_tab: NewTab) -> None:
    watcher = new_tab("viewer")
    watcher.goto(ADDRESS)
    expect(watcher.locator("#live[data-live=live]")).to_be_visible()
    dialog = _ask(tab)
    expect(dialog).to_contain_text("Reaches8 workers")
    expect(dialog).to_contain_text("calls a minute")
    dialog.get_by_label("Reason").fill("the node lies about blocks")
    dialog.get_by_role("button", name=re.compile("Force open on")).click()
    expect(dialog).to_contain_text(f"Give {LOOKUP}")
    expect(dialog.get_by_label("Reason")).to_have_value("the node lies about blocks")
    dialog.get_by_label(re.compile("Type")).fill(LOOKUP)
    dialog.get_by_text("5 minutes", exact=True).click()
    dialog.get_by_role("button", name=re.compile("Force open on")).click()
    standing = tab.locator("#breaker-standing")
    expect(standing).to_contain_text("Forced open · blocking")
    expect(standing).to_contain_text(re.compile(r"Ends in [45]"))
    expect(standing).to_contain_text("the node lies about blocks")
    expect(watcher.locator("#breaker-standing")).to_contain_text("Forced open")
    assert watcher.get_by_role("link", name=re.compile("auto")).count() == 0
    tab.wait_for_load_state()
    tab.get_by_role("link", name="Undo…").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("it was the other node")
    dialog.get_by_role("button", name="Take back 1 change").click()
    expect(standing).to_contain_text("Auto · left to itself")
    expect(tab.locator("#breaker-history")).to_contain_text("took back")


def test_who_is_slower_is_told_in_the_dialog(tab: Page, new_tab: NewTab) -> None:
    dialog = _ask(tab, "Force closed…")
    faster = new_tab("admin")
    faster.goto(f"{ADDRESS}disable/")
    faster.get_by_label("Reason").fill("nobody needs it tonight")
    faster.get_by_role("button", name="Disable").click()
    expect(faster.locator("#breaker-standing")).to_contain_text("Disabled")
    dialog.get_by_label("Reason").fill("let everything pass now")
    dialog.get_by_role("button", name=re.compile("Force closed")).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody was faster")
    expect(dialog).to_contain_text("nobody needs it tonight")
    dialog.get_by_role("button", name=re.compile("Force closed")).click()
    expect(tab.locator("#breaker-standing")).to_contain_text("Forced closed")


def test_tune_by_keyboard_alone(tab: Page) -> None:
    tab.goto(f"/breakers/{BLOCK}/")
    tab.get_by_role("link", name="Tune…").focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    expect(dialog.get_by_label("failure_rate")).to_be_focused()
    tab.keyboard.type("0.3")
    dialog.get_by_label("Reason").focus()
    tab.keyboard.type("it opens far too late")
    tab.keyboard.press("Enter")
    expect(tab.locator("#breaker-settings")).to_contain_text("tuned to 0.3")


def test_a_key_that_is_quicker_than_the_page_opens_the_dialog(new_tab: NewTab) -> None:
    tab = new_tab()
    tab.add_init_script(LATE_TIMERS)
    tab.goto(ADDRESS)
    tab.get_by_role("link", name="Tune…").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog").get_by_label("failure_rate")).to_be_visible()
    assert tab.url.endswith(ADDRESS)


def test_of_two_links_the_dialog_of_the_last_opens_and_stays(tab: Page) -> None:
    tab.route("**/open/", lambda route: None)  # never answered
    tab.goto(ADDRESS)
    with tab.expect_request("**/open/"):
        tab.get_by_role("link", name="Force open…").click()
    # The answer that is late can take no dialog's place any more.
    with tab.expect_event("requestfailed", lambda failed: failed.url.endswith("/open/")):
        tab.get_by_role("link", name="Tune…").click()
    expect(tab.get_by_role("dialog").get_by_label("failure_rate")).to_be_visible()


def test_a_second_click_asks_anew_and_does_not_wait(tab: Page) -> None:
    late: list[Route] = []
    tab.route("**/open/", lambda route: route.continue_() if late else late.append(route))
    tab.goto(ADDRESS)
    link = tab.get_by_role("link", name="Force open…")
    link.click()
    # A request that is given up before it is held would leave the second to be held; each look at
    # the tab lets what it tells come in.
    wait_until(lambda: bool(tab.title() and late), within_s=15, what="the first is held")
    with tab.expect_event("requestfailed", lambda failed: failed.url.endswith("/open/")):
        link.click()
    expect(tab.get_by_role("dialog")).to_contain_text("Reaches8 workers")


def test_escape_changes_nothing_and_gives_the_focus_back(tab: Page) -> None:
    dialog = _ask(tab)
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(tab.get_by_role("link", name="Force open…")).to_be_focused()


def test_ranges_by_keys(tab: Page) -> None:
    tab.goto(ADDRESS)
    tab.keyboard.press("3")
    tab.wait_for_url("**/?range=6h")
    expect(tab.locator("#breaker-ribbon [aria-current]")).to_have_text("6h")


@contextmanager
def one_more(number: int) -> Iterator[str]:
    """A worker that nobody heard of before reports; its name on pages."""
    worker = a_worker(number, acknowledged=10**9)
    publish(worker)
    try:
        yield f"{worker.pid}@{worker.host}"
    finally:
        wait_until(lambda: _retired(worker.id), within_s=30, what="it is listed no more")


def _retired(worker: str) -> bool:
    snapshots.retire(worker)
    found = snapshots.workers()
    return found is not None and worker not in {one.id for one in found}


def test_a_table_that_is_open_stays_open_while_the_page_lives(tab: Page) -> None:
    tab.goto(ADDRESS)
    tab.get_by_text("transitions as a table").click()
    # The ribbon is drawn anew where a row of the workers changed. By their ages alone none may for
    # long: the made-up ones report in step with the page's looking.
    with one_more(40) as name:
        expect(tab.locator("#breaker-ribbon .lanes")).to_contain_text(name, timeout=30_000)
        expect(tab.locator("#breaker-changes table")).to_be_visible()


def test_acts_from_the_list_by_its_menu(tab: Page) -> None:
    tab.goto("/breakers/")
    tab.locator("summary", has=tab.locator(".icon")).and_(
        tab.get_by_label(f"Actions for {LOOKUP}")
    ).click()
    tab.get_by_role("link", name="Reset…").first.click()
    expect(tab.get_by_role("dialog")).to_contain_text(f"Reset {LOOKUP}?")


_TURNED_ROUND = """
(id) => fetch(location.href).then((answer) => answer.text()).then(async (html) => {
  const region = new DOMParser().parseFromString(html, "text/html").getElementById(id);
  for (const body of region.querySelectorAll("tbody")) {
    body.replaceChildren(...[...body.rows].reverse());
  }
  await htmx.swap({
    text: `<hx-partial hx-target="#${id}" hx-swap="outerMorph">${region.outerHTML}</hx-partial>`,
    target: document.body, swap: "none", sourceElement: document.body,
  });
  return [...document.querySelectorAll(`#${id} .acts[open]`)].map((menu) => {
    const rows = [...menu.closest("tbody").querySelectorAll("tr:has(.acts)")].reverse();
    return [menu.querySelector("summary").ariaLabel, rows.indexOf(menu.closest("tr"))];
  });
})
"""


@pytest.mark.parametrize(
    ("address", "region"),
    [("/", "overview-breakers"), ("/breakers/", "breakers-list"), ("/flags/", "flags-list")],
)
def test_a_menu_stays_with_its_row_where_an_update_changes_the_order(
    tab: Page, address: str, region: str
) -> None:
    tab.goto(address)
    first = tab.locator(f"#{region} .acts summary").first
    first.click()
    name = first.get_attribute("aria-label")
    # The first row of its group is the last now, and no other has opened.
    assert tab.evaluate(_TURNED_ROUND, region) == [[name, 0]]


def test_all_of_it_without_scripts(new_tab: NewTab) -> None:
    tab = new_tab(java_script_enabled=False)
    tab.goto("/breakers/?state=open")
    tab.get_by_role("link", name=LOOKUP).click()
    tab.get_by_role("link", name="Force open…").click()
    tab.get_by_role("button", name=re.compile("Force open on")).click()
    expect(tab.get_by_text("Give a reason of 10 to 500")).to_be_visible()
    tab.get_by_label("Reason").fill("the node lies about blocks")
    tab.get_by_label(re.compile("Type")).fill(LOOKUP)
    tab.get_by_role("button", name=re.compile("Force open on")).click()
    expect(tab.locator("#breaker-standing")).to_contain_text("Forced open · blocking")
    tab.get_by_role("link", name="Back to auto…").click()
    tab.get_by_label("Reason").fill("the node is well again")
    tab.get_by_role("button", name="Back to auto").click()
    expect(tab.locator("#breaker-standing")).to_contain_text("left to itself")
    tab.get_by_role("link", name="Caches").click()
    # Eight sizes made up, and those of the workers that are there where they have had work.
    tab.get_by_text(re.compile(r"As a table, \d+ sizes")).click()
    expect(tab.get_by_role("cell", name="300\u202f000")).to_be_visible()
    tab.get_by_role("link", name="Purge by tag…").click()
    tab.get_by_label("Tag", exact=True).fill("head")
    tab.get_by_label("Reason").fill("the head was wrong for a while")
    tab.get_by_label("Type the tag").fill("head")
    tab.get_by_role("button", name=re.compile("Purge on")).click()
    expect(tab.get_by_role("status").first).to_contain_text("What carries head is dropped")
