"""The whole way: sign in, start a thousand items, watch them run, read every verdict."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewTab, sign_in
from tests.browser.stack import Stack
from validation.devnode.chain import Chain

pytestmark = pytest.mark.slow
ITEMS = 1_000


@pytest.fixture
def slow_node(stack: Stack) -> Iterator[None]:
    try:
        stack.faults(latency_ms=1_000)
        yield
    finally:
        stack.faults(latency_ms=0)


def _seen_progress(tab: Page) -> set[int]:
    """Every count of done items that the page shows until the run has ended."""
    return set(
        tab.evaluate(
            """() => new Promise((resolve) => {
                const seen = new Set();
                const look = () => {
                    const done = document.querySelector('.standing b').textContent;
                    seen.add(Number(done.replace(/\\D/g, '')));
                    if (document.querySelector('#run-live .state').textContent.startsWith('Done')) {
                        watcher.disconnect();
                        resolve([...seen]);
                    }
                };
                const watcher = new MutationObserver(look);
                const every = {subtree: true, childList: true, characterData: true};
                watcher.observe(document.querySelector('main'), every);
                look();
            })"""
        )
    )


def test_a_thousand_items_through_the_fleet(stack: Stack, new_tab: NewTab, slow_node: None) -> None:
    tab = new_tab(None)
    sign_in(tab, stack, "operator")
    tab.keyboard.press("v")
    tab.wait_for_url("**/validations/new/")
    hashes = Chain.load().transactions[:ITEMS]
    tab.get_by_label("Subjects").fill("\n".join(hashes))
    expect(tab.locator("#preview")).to_contain_text("1\u202f000 transactions")
    tab.get_by_role("button", name="Start 1\u202f000 items").click()
    # It is watched from its first moment on, not once all of the page is there.
    tab.wait_for_url(re.compile(r"/validations/\d+/$"), wait_until="commit")
    tab.locator(".standing b").first.wait_for()
    seen = _seen_progress(tab)
    assert len(seen) > 2  # it moved while nobody reloaded
    assert max(seen) == ITEMS
    expect(tab.locator("#run-live .state").first).to_have_text("Done · all valid")
    expect(tab.locator("#run-items footer")).to_contain_text("of 1\u202f000")
    expect(tab.locator("#item-49 .state")).to_have_text("Valid")
    tab.locator("#item-49 a").click()
    expect(tab.locator("#subject")).to_have_text(f"tx:{hashes[49]}")
    # Levels 0 to 3.
    expect(tab.get_by_text("Reached", exact=True).nth(3)).to_be_visible()


def test_a_lie_is_seen(stack: Stack, tab: Page) -> None:
    stack.faults(lie="tx-value")
    try:
        tab.goto("/validations/new/")
        # None that another test has had validated: the cache would still know the truth.
        tab.get_by_label("Subjects").fill("\n".join(Chain.load().transactions[-30:]))
        tab.get_by_role("button", name="Start 30").click()
        expect(tab.locator("#run-live .state").first).to_contain_text("invalid", timeout=60_000)
        tab.get_by_role("link", name=re.compile("Retry")).wait_for()
    finally:
        stack.faults(lie=None)
    tab.wait_for_load_state()
    tab.get_by_role("link", name=re.compile("Retry")).click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name=re.compile("Retry")).click()
    expect(tab.locator("#run-live .state").first).to_have_text("Done · all valid", timeout=60_000)


def test_workers_report(tab: Page) -> None:
    tab.goto("/workers/")
    expect(tab.locator("#workers-fleet tbody tr")).to_have_count(2, timeout=15_000)
    expect(tab.locator("#workers-queue")).to_contain_text("2 / 2", timeout=15_000)
