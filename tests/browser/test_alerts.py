"""Alerts in a browser: the count beside the word, an act in a dialog, and axe on each page."""

from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewTab, stop_the_clock
from tests.browser.stack import Stack
from tests.browser.test_accessible import PHONE, TAGS, WIDE

# Nothing in this stack is called so: what is not known is held, not cleared.
SUBJECT = "made-up-replica"
RUNBOOK = "/alerts/runbooks/replica-lag/"
RAISE = """
INSERT INTO monitoring_alert (rule, subject, "group", severity, state, began_at, fired_at, value,
    worst, threshold, words, flaps, acknowledged_by, acknowledged_reason, told, muted, seen_at)
VALUES ('replica.lag', %s, 'replicas', 'critical', 'firing', now() - interval '3 minutes',
    now() - interval '2 minutes', 7.5, 9, 5, 'made-up-replica is 7.5 s behind', 0, '', '',
    'critical', '', now())
RETURNING id
"""


@pytest.fixture
def alert(stack: Stack) -> Iterator[int]:
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        (number,) = connection.execute(RAISE, [SUBJECT]).fetchone() or (0,)
        yield number
        connection.execute("DELETE FROM monitoring_alert WHERE id = %s", [number])


def test_the_count_comes_by_itself_and_an_alert_is_acknowledged_in_a_dialog(
    new_tab: NewTab, request: pytest.FixtureRequest
) -> None:
    tab = new_tab("operator")
    stop_the_clock(tab)
    tab.goto("/workers/")
    expect(tab.locator("#live[data-live=live]")).to_be_visible()
    number = request.getfixturevalue("alert")
    expect(tab.locator("#nav-firing")).to_contain_text("firing")
    tab.keyboard.press("g")
    tab.keyboard.press("a")
    tab.wait_for_url("**/alerts/")
    tab.locator("#alerts-firing").get_by_role("link", name="replica.lag").click()
    tab.wait_for_url(f"**/alerts/{number}/")
    tab.get_by_role("link", name="Acknowledge…").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the replica is being copied anew")
    dialog.get_by_role("button", name="Acknowledge 1 alert").click()
    expect(tab.locator("#alert-standing")).to_contain_text("Acknowledged by the-operator")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    new_tab: NewTab, axe: str, alert: int, scheme: str, size: dict[str, int]
) -> None:
    tab = new_tab("operator", color_scheme=scheme, viewport=size, reduced_motion="reduce")
    found = []
    for address in (
        "/alerts/",
        f"/alerts/{alert}/",
        f"/alerts/silences/add/?alert={alert}",
        RUNBOOK,
    ):
        tab.goto(address)
        for rules in tab.locator("details.rules").all():
            rules.evaluate("(element) => { element.open = true; }")
        tab.evaluate(axe)
        violations = tab.evaluate(
            "(tags) => axe.run({runOnly: tags}).then((r) => r.violations)", TAGS
        )
        found += [(address, one["id"], one["nodes"][0]["html"][:200]) for one in violations]
        sticks_out = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        if tab.evaluate(sticks_out):
            found.append((address, "wider than the screen", ""))
    assert not found
