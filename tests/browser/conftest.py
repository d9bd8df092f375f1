"""One stack for all, one Chromium a module, one tab a test that must end without complaint."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from console.embedded.cluster import Cluster
from console.embedded.postgres import FAST
from monitoring import snapshots, valkey
from tests import made_up_fleet
from tests.browser.stack import PASSWORD, Stack
from tests.services import FOLDER, process_environment

NewTab = Callable[..., Page]
# Without them it looks up its makers' hosts, which a machine without them answers late or never.
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# htmx wires a page by a timer without a delay, which on a busy machine comes late.
LATE_TIMERS = """
    const soon = window.setTimeout;
    window.setTimeout = (act, after, ...rest) => soon(act, after || 60_000, ...rest);
"""
_TROUBLED = 6
_HEARD_S = 30.0
# What Chromium says when a form is refused or came too late.
_EXPECTED = ("status of 422", "status of 409")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test is charged for the stack, which starts within a minute or two, the last for
    its end: a hang of any is told after four minutes.
    """
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """On servers of its own: its workers report every second, to whoever reads there."""
    place = Path(tempfile.mkdtemp(dir=FOLDER))
    place.chmod(0o755)  # servers that root starts run as another user
    with Cluster.under(place, settings=FAST) as cluster:
        running = Stack(
            environment=process_environment(cluster), folder=tmp_path_factory.mktemp("browser")
        )
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Not of the session: while Playwright runs, its loop is this thread's, and others need one."""
    with sync_playwright() as playwright:
        # Long enough for a machine that runs two suites; what is promised sooner says so itself.
        expect.set_options(timeout=15_000)
        found = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        yield found
        found.close()


@pytest.fixture(scope="package")
def sessions(stack: Stack) -> dict[str, list[dict[str, str]]]:
    """The cookies of each role, signed in once: that is slow on purpose."""
    found = {}
    for role in ("viewer", "operator", "admin"):
        with httpx.Client(base_url=stack.url, timeout=30) as client:
            client.get("/sign-in/")
            form = {
                "username": f"the-{role}",
                "password": PASSWORD,
                "csrfmiddlewaretoken": client.cookies["csrftoken"],
            }
            assert client.post("/sign-in/", data=form).status_code == 302
            found[role] = [
                {"name": name, "value": value, "url": stack.url}
                for name, value in client.cookies.items()
            ]
    return found


def sign_in(tab: Page, stack: Stack, role: str) -> None:
    tab.goto(f"{stack.url}/sign-in/")
    tab.get_by_label("User name").fill(f"the-{role}")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(f"{stack.url}/")


def stop_the_clock(tab: Page) -> None:
    """Before the first page: a chord of keys lapses by the tab's clock. Timers run on."""
    tab.clock.set_fixed_time(datetime.now(UTC))


@pytest.fixture
def new_tab(
    stack: Stack, browser: Browser, sessions: dict[str, list[dict[str, str]]]
) -> Iterator[NewTab]:
    """Opens a tab of a role; every fault the browser reports fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_tab(role: str | None = "operator", **options: Any) -> Page:
        context = browser.new_context(base_url=stack.url, **options)
        if role:
            context.add_cookies(sessions[role])  # type: ignore[arg-type]
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: complaints.append(f"{tab.url}: {error}"))
        tab.on(
            "console",
            lambda said: (
                complaints.append(f"{tab.url}: {said.text}")
                if said.type in {"error", "warning"} and not any(e in said.text for e in _EXPECTED)
                else None
            ),
        )
        return tab

    yield open_tab
    for context in contexts:
        for page in context.pages:
            page.goto("about:blank")  # closing in the middle of a navigation hung for ever once
        context.close()
    assert complaints == []


@pytest.fixture
def tab(new_tab: NewTab) -> Page:
    return new_tab()


@pytest.fixture(scope="module")
def made_up(stack: Stack) -> Iterator[None]:
    """Six more workers report, who never were: two of them hold a breaker open."""
    stop, heard = threading.Event(), threading.Event()
    valkey.client.cache_clear()

    def speak() -> None:
        while not stop.is_set():
            # One late answer is one report less.
            with suppress(redis.RedisError):
                # They obey whatever is wanted of them, at once.
                fleet = made_up_fleet.a_troubled_fleet(_TROUBLED, acknowledged=10**9)
                made_up_fleet.publish(*fleet)
                heard.set()
            stop.wait(1)

    with override_settings(REDIS_URL=stack.environment["REDIS_URL"]):
        speaker = threading.Thread(target=speak)
        speaker.start()
        try:
            assert heard.wait(_HEARD_S), "the cache server took no report of the made-up workers"
            yield
        finally:
            stop.set()
            speaker.join()
        _retire({worker.id for worker in made_up_fleet.a_troubled_fleet(_TROUBLED)})
    valkey.client.cache_clear()


def _retire(workers: set[str]) -> None:
    """Asks again until none is listed: one late answer would leave them to the next module."""
    until = time.monotonic() + _HEARD_S
    while (found := snapshots.workers()) is None or workers & {worker.id for worker in found}:
        assert time.monotonic() < until, "made-up workers are still listed"
        for worker in workers:
            snapshots.retire(worker)
        time.sleep(0.1)


@pytest.fixture(scope="session")
def axe() -> str:
    return (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text()
