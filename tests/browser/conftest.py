"""One stack for all, one Chromium a module, one tab a test that must end without complaint."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
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
# What Chromium says when a form is refused or came too late.
_EXPECTED = ("status of 422", "status of 409")


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
    stop = threading.Event()
    valkey.client.cache_clear()

    def speak() -> None:
        while not stop.is_set():
            # They obey whatever is wanted of them, at once.
            made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(6, acknowledged=10**9))
            stop.wait(1)

    with override_settings(REDIS_URL=stack.environment["REDIS_URL"]):
        speaker = threading.Thread(target=speak)
        speaker.start()
        yield
        stop.set()
        speaker.join()
        for worker in made_up_fleet.a_troubled_fleet(6):
            snapshots.retire(worker.id)
    valkey.client.cache_clear()


@pytest.fixture(scope="session")
def axe() -> str:
    return (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text()
