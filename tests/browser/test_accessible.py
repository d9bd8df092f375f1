"""Every page, light and dark, wide and narrow: axe, no sideways scrolling, large targets."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from console.pages.roadmap_wish import VIEWS
from tests.browser.conftest import NewTab
from tests.browser.stack import Stack
from tests.made_up_fleet import LOOKUP
from validation.devnode.chain import Chain

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("made_up")]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
_LOOK = "(only) => axe.run(only).then((r) => r.violations)"
# Of phones, and on both sides of where a layout turns into another one.
WIDTHS = (320, 390, 640, 641, 768, 900, 901, 960, 1_024, 1_100, 1_101, 1_200, 1_280, 1_440)
# Other letters than its own are wider, while they are what there is.
_OVER = """
document.fonts.ready.then(() => document.documentElement.scrollWidth - innerWidth)
"""
WIDE = {"width": 1_440, "height": 900}
PHONE = {"width": 390, "height": 844}
_TARGETS = """
(least) => [...document.querySelectorAll('a, button, summary, input:not([type=hidden]), select')]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().bottom > 0)
  .filter((e) => !e.closest('p, td, th, li > code, .facts, .crumb, .keys'))
  .filter((e) => !(e.matches('input[type=radio], input[type=checkbox]')))
  .map((e) => [e.outerHTML.slice(0, 90), e.getBoundingClientRect()])
  .filter(([, box]) => box.height < least || box.width < 24)
  .map(([html, box]) => `${html} ${box.width}x${box.height}`)
"""
_RAGGED = """
[...document.querySelectorAll('table')].filter((table) => {
  const isShown = (cell) => getComputedStyle(cell).display !== 'none';
  const shown = (row) => [...row.cells].filter(isShown).length;
  const head = table.tHead?.rows[0];
  if (!head || getComputedStyle(table.tHead).position !== 'static') return false;
  // A row that names a group has one cell for all columns.
  const rows = [...table.tBodies[0].rows].filter((row) => !row.matches('.area'));
  return rows.some((row) => shown(row) !== shown(head));
}).map((table) => table.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def addresses(stack: object) -> list[str]:
    """Filled by `_prepare` on first use: a finished run, a draft, and pages that always are."""
    return []


def _prepare(tab: Page, addresses: list[str]) -> list[str]:
    if addresses:
        return addresses
    lines = {"done": "block:0-40\nblock:99999999\nhead", "draft": "block:1-9\nnonsense"}
    for name, text in lines.items():
        tab.goto("/validations/new/")
        tab.get_by_label("Subjects").fill(text)
        tab.get_by_role("button", name=re.compile("Start")).click()
        tab.wait_for_url(re.compile(r"/validations/\d+/$"))
        run = tab.url.partition("/validations/")[2]
        if name == "done":
            expect(tab.locator("#run-live .state").first).to_contain_text("Done", timeout=60_000)
            addresses += [f"/validations/{run}{p}" for p in ("", "items/3/", "items/41/", "retry/")]
        else:
            addresses += [f"/validations/{run}", f"/validations/{run}discard/"]
    addresses += ["/", "/validations/", "/validations/?q=zzz", "/validations/new/", "/workers/"]
    addresses += ["/settings/tokens/", "/api/v1/docs", "/nodes/", "/nodes/add/"]
    tab.goto("/nodes/")
    node = tab.locator("table.nodes a.mono").first.get_attribute("href")
    addresses += [f"{node}", f"{node}drill/"]
    addresses += [
        "/audit/",
        "/breakers/l2/",
        "/breakers/",
        "/breakers/?q=zzz",
        "/pools/",
        "/caches/",
        "/caches/purge/",
    ]
    addresses += ["/roadmap/1.6/", "/roadmap/1.5/", "/roadmap/1.6/measure/", "/roadmap/1.6/edit/"]
    addresses += ["/flags/rpc.fetch_mode/", "/flags/rpc.fetch_mode/ramp/"]
    addresses += ["/database/", "/capacity/", "/find/?q=cache", "/roadmap/report/"]
    addresses += [f"/roadmap/?view={view}" for view in VIEWS]
    addresses += ["/caches/resize/", *(f"/breakers/{LOOKUP}/{a}" for a in ("", "open/", "tune/"))]
    _override(tab)
    return addresses


def _override(tab: Page) -> None:
    """So that pages have a wish, a history and something to take back."""
    tab.goto("/breakers/l2/metrics-only/")
    tab.get_by_label("Reason").fill("so that there is something to see")
    tab.get_by_role("button", name="Only measure").click()
    expect(tab.locator("#breaker-standing")).to_contain_text("Metrics only")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing(
    new_tab: NewTab, axe: str, addresses: list[str], size: dict[str, int]
) -> None:
    tab = new_tab("admin", viewport=size, reduced_motion="reduce")
    found = []
    for address in _prepare(tab, addresses):
        tab.emulate_media(color_scheme="light")
        tab.goto(address)
        tab.evaluate(axe)
        looked = [("light", tab.evaluate(_LOOK, {"runOnly": TAGS}))]
        tab.emulate_media(color_scheme="dark")
        # What is dark differs in its colours alone.
        looked += [("dark", tab.evaluate(_LOOK, {"runOnly": _COLOURS}))]
        found += [
            (address, scheme, violation["id"], node["html"][:200], node["failureSummary"][:300])
            for scheme, violations in looked
            for violation in violations
            for node in violation["nodes"]
        ]
    assert found == []


def test_nothing_scrolls_sideways(new_tab: NewTab, addresses: list[str]) -> None:
    tab = new_tab("admin", viewport={"width": WIDTHS[-1], "height": 800})
    over = []
    for address in _prepare(tab, addresses):
        tab.goto(address)
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            if (by := tab.evaluate(_OVER)) > 0:
                over.append((address, width, by))
            assert tab.evaluate(_RAGGED) == [], (address, width)
    assert over == []


_WIDEST = """
    WITH who AS (
        INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email,
                               is_staff, is_active, date_joined)
        VALUES (repeat('long-name-', 15), '', false, '', '', '', false, false, now()) RETURNING id
    )
    INSERT INTO validation_run (state, title, total, priority, origin, node_urls, idempotency_key,
                                request_digest, malformed_count, malformed, created_at, started_at,
                                finished_at, created_by_id)
    SELECT state, repeat('of many words ', 14), 2000000, 1, 'page', '[]', '', '', 0, '[]',
           now() - interval '40 days', now() - interval '40 days',
           CASE state WHEN 'cancelled' THEN now() - interval '13 hours' END, who.id
    FROM who, unnest(ARRAY['cancelled', 'draft']) state
"""
_NARROW = """
    DELETE FROM validation_run WHERE created_by_id IN
        (SELECT id FROM auth_user WHERE username LIKE 'long-name-%');
    DELETE FROM auth_user WHERE username LIKE 'long-name-%';
"""


@pytest.fixture
def widest(stack: Stack) -> Iterator[None]:
    """Runs of a title, a name, a state and a duration as long as they get."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(_WIDEST)
        yield
        connection.execute(_NARROW)


@pytest.mark.usefixtures("widest")
@pytest.mark.parametrize("address", ["/validations/", "/"])
def test_long_names_push_no_list_sideways(new_tab: NewTab, address: str) -> None:
    tab = new_tab("admin", viewport={"width": WIDTHS[-1], "height": 800})
    tab.goto(address)
    expect(tab.get_by_text("of many words").first).to_be_visible()
    over = {}
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 800})
        if (by := tab.evaluate(_OVER)) > 0:
            over[width] = by
    assert over == {}


def test_targets_are_large_enough_for_a_finger(new_tab: NewTab, addresses: list[str]) -> None:
    tab = new_tab("admin", viewport=PHONE, has_touch=True, is_mobile=True)
    small = {}
    for address in _prepare(tab, addresses):
        tab.goto(address)
        if found := tab.evaluate(_TARGETS, 24):
            small[address] = found
    assert small == {}


def test_sign_in_is_accessible(new_tab: NewTab, axe: str) -> None:
    for scheme in ("light", "dark"):
        tab = new_tab(None, color_scheme=scheme, viewport=PHONE)
        tab.goto("/sign-in/")
        tab.evaluate(axe)
        violations = tab.evaluate(
            "(tags) => axe.run({runOnly: tags}).then((r) => r.violations)", TAGS
        )
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in violations] == []


_ENDS = """
(link) => {
  const box = link.closest('td').getBoundingClientRect();
  const [head, tail] = [...link.children].map((part) => part.getBoundingClientRect());
  return {head: head.width, inside: tail.right <= box.right + 0.5, meets: tail.left - head.right,
          cut: link.firstChild.scrollWidth > link.firstChild.clientWidth};
}
"""


@pytest.mark.parametrize(("width", "cut"), [(390, True), (1_440, False)])
def test_both_ends_of_a_long_subject_are_seen(new_tab: NewTab, width: int, cut: bool) -> None:
    tab = new_tab("operator", viewport={"width": width, "height": 844})
    subject = Chain.load().transactions[0]
    tab.goto("/validations/new/")
    tab.get_by_label("Subjects").fill(subject)
    tab.get_by_role("button", name=re.compile("Start")).click()
    tab.wait_for_url(re.compile(r"/validations/\d+/$"))
    link = tab.get_by_role("link", name=f"tx:{subject}", exact=True)
    seen = link.evaluate(_ENDS)
    assert seen["inside"]
    assert seen["head"] > 100
    assert abs(seen["meets"]) < 1
    assert seen["cut"] is cut


def test_the_apis_columns_stand_under_each_other(new_tab: NewTab) -> None:
    tab = new_tab("viewer", viewport=WIDE)
    tab.goto("/api/v1/docs")
    for kind in ("parameters", "answers"):
        lefts = tab.eval_on_selector_all(
            f"table.{kind} thead tr",
            "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.offsetLeft))",
        )
        assert len(lefts) > 2
        assert len({tuple(row) for row in lefts}) == 1
    expect(tab.locator(".api-operation p code", has_text="block:1-5000")).to_be_visible()
    assert "`" not in tab.locator("main").inner_text()
