"""Figures over time in a browser: drawn by uPlot, zoomed by dragging, read as a table, by keys."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewTab
from tests.browser.stack import Stack

pytestmark = pytest.mark.slow
PAGES = ("/", "/pools/", "/database/", "/caches/", "/workers/")
_KEEP = """
    WITH s AS (
        INSERT INTO monitoring_series (name, counter) VALUES ('pools.waiting', false)
        ON CONFLICT (name) DO UPDATE SET counter = false RETURNING id
    )
    INSERT INTO monitoring_point_10s (at, series, value)
    SELECT date_bin('10 s', %s - make_interval(mins => n + earlier), 'epoch'), s.id, n
    FROM s, generate_series(2, 58) n, generate_series(0, 600, 600) earlier
"""
_FORGET = """
    DELETE FROM monitoring_point_10s p USING monitoring_series s
    WHERE s.id = p.series AND s.name = 'pools.waiting'
"""


@pytest.fixture(scope="module")
def measured(stack: Stack) -> Iterator[datetime]:
    """An hour in which as many calls waited as minutes have passed since; ten hours before, too.
    Yields its end; what the stack measured itself is forgotten.
    """
    now = datetime.now(UTC)
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        connection.execute(_FORGET)
        connection.execute(_KEEP, [now])
    yield now
    with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
        connection.execute(_FORGET)


def drawn(tab: Page) -> None:
    expect(tab.locator(".chart-place.drawn canvas").first).to_be_visible()
    tab.evaluate("document.fonts.ready.then(() => null)")  # then they are drawn once more


_BLOCKED = """
    window.blocked = [];
    document.addEventListener("securitypolicyviolation", (event) => window.blocked.push(
        `${event.effectiveDirective} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
"""


@pytest.mark.parametrize("address", PAGES)
def test_nothing_is_blocked_by_the_policy(
    new_tab: NewTab, measured: datetime, axe: str, address: str
) -> None:
    """Drawn, redrawn, pointed at and read by axe; what the console says fails the test as well."""
    tab = new_tab()
    tab.add_init_script(_BLOCKED)
    tab.goto(address)
    drawn(tab)
    tab.emulate_media(color_scheme="dark")
    drawn(tab)
    tab.locator("#charts .u-over").first.hover()
    tab.set_viewport_size({"width": 390, "height": 844})
    drawn(tab)
    # It writes styles where a sheet imports another.
    tab.evaluate(axe)
    tab.evaluate("axe.run('#charts')")
    assert tab.evaluate("window.blocked") == []


@pytest.mark.parametrize("address", PAGES)
def test_lines_are_drawn_where_the_server_drew_them(
    new_tab: NewTab, measured: datetime, address: str
) -> None:
    tab = new_tab(viewport={"width": 390, "height": 844})
    tab.goto(address)
    panel = tab.locator("#charts")
    drawn(tab)
    assert panel.locator("canvas").count() == panel.locator(".chart-place").count()
    # Other letters than its own are wider, while they are what there is.
    wide = "document.fonts.ready.then(() => document.documentElement.scrollWidth > innerWidth)"
    assert not tab.evaluate(wide)


def test_dragging_shows_less_of_it_and_the_address_says_so(tab: Page, measured: datetime) -> None:
    tab.goto("/pools/?range=1h")
    drawn(tab)
    plot = tab.locator('.chart-cell:has-text("Calls waiting") .u-over')
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.25, middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    tab.mouse.up()
    tab.wait_for_url(re.compile(r"/pools/\?from=[^&]+&to="))
    drawn(tab)
    expect(tab.locator("#charts [aria-current]")).to_have_count(0)
    # A quarter of the hour: what was shown before and after it is gone.
    expect(tab.locator('.chart-cell:has-text("Calls waiting") .chart-figures')).to_contain_text(
        re.compile(r"^[23]\d [34]\d at most$")
    )
    tab.keyboard.press("3")
    tab.wait_for_url("**/pools/?range=6h")
    tab.go_back()
    expect(tab.locator("#charts")).to_contain_text(" to ")


def test_the_pointer_tells_the_figure_under_it(tab: Page, measured: datetime) -> None:
    tab.goto("/pools/?range=1h")
    drawn(tab)
    figures = tab.locator('.chart-cell:has-text("Calls waiting") .chart-figures')
    before = figures.inner_text()
    plot = tab.locator('.chart-cell:has-text("Calls waiting") .u-over')
    plot.hover()
    expect(figures).to_contain_text("UTC")
    tab.mouse.move(2, 2)
    expect(figures).to_have_text(before)


def test_words_of_the_pointer_do_not_stay_where_lines_are_drawn_anew(
    tab: Page, measured: datetime
) -> None:
    tab.goto("/pools/?range=1h")
    drawn(tab)
    cell = tab.locator('.chart-cell:has-text("Calls waiting")')
    before = cell.locator(".chart-figures").inner_text()
    cell.locator(".u-over").hover()
    expect(cell.locator(".chart-figures")).to_contain_text("UTC")
    canvas = cell.locator("canvas").element_handle()
    tab.emulate_media(color_scheme="dark")
    canvas.wait_for_element_state("hidden")  # it was drawn anew
    tab.mouse.move(2, 2)
    expect(cell.locator(".chart-figures")).to_have_text(before)


def test_the_same_figures_stand_in_a_table(new_tab: NewTab, measured: datetime, axe: str) -> None:
    tab = new_tab()
    # Long before the stack, which has figures of its own.
    since, until = (measured - timedelta(minutes=600 + ago) for ago in (60, 0))
    tab.goto(f"/pools/?from={since:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}")
    table = tab.locator(".chart-table table")
    expect(table).not_to_be_visible()
    summary = tab.locator(".chart-table summary")
    summary.focus()
    tab.keyboard.press("Enter")
    expect(table).to_be_visible()
    column = table.locator("thead th").all_inner_texts().index("Calls waiting")
    cells = table.locator(f"tbody tr td:nth-of-type({column})").all_inner_texts()
    found = [int(cell) for cell in cells if cell.isdigit()]
    assert found == sorted(found)
    assert len(found) > 50
    tab.evaluate(axe)
    broken = tab.evaluate("axe.run('#charts').then((said) => said.violations.map((v) => v.id))")
    assert broken == []


def test_without_scripts_the_server_s_lines_and_the_table_are_there(
    new_tab: NewTab, measured: datetime
) -> None:
    tab = new_tab(java_script_enabled=False)
    tab.goto("/pools/")
    expect(tab.locator("#charts .chart-place svg").first).to_be_visible()
    tab.get_by_role("link", name="6h").click()
    assert tab.url.endswith("?range=6h")
