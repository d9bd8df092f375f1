"""The test session: its servers, what the machine lacks, and an honest last word."""

import gc
import os
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from pytest_django import DjangoDbBlocker
from xdist.scheduler import LoadScopeScheduling

from monitoring import valkey

# It points the environment at the session's servers before any settings are read.
from tests import capabilities, flushing, services, static_files

# Now, not in pytest_configure: conftests of folders named on the command line load before it.
django.setup()
flushing.allow()
static_files.find_once()
# How long one example takes is the machine's affair, and no promise of anybody's.
hypothesis.settings.register_profile("without a deadline", deadline=None)
hypothesis.settings.load_profile("without a deadline")
# Those of the session answer; a crowded machine may only keep them from it for a while.
_PRODUCT_SHORT_S, valkey._SHORT_S = valkey._SHORT_S, 5.0

from console.roadmap.gates import standing  # noqa: E402 - models, once there is Django

# Tests below these need neither Django nor servers, or start their own.
_ALONE = {
    "rpc",
    "resilience",
    "heads",
    "validators",
    "proofs",
    "oracles",
    "subjects",
    "lineage",
    "devnode",
    "drill",
    "nodecheck",
    "embedded",
    "deploy",
    "bench",
}
_HERE = Path(__file__).parent
# One stack for all that is seen in a browser.
_BROWSER = "tests/browser/"
# What npm or pip may install first takes up to three minutes.
_INSTALLS = {"anvil", "openfeature_js"}
_INSTALL_S = 400
_skipped: list[str] = []


@pytest.fixture(autouse=True)
def _gates_judged_anew() -> None:
    """Kept for ten seconds in a process, they would be of another test's world."""
    standing.forget()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Valkey is waited for no longer than in the product, by clients that are made from now on."""
    monkeypatch.setattr(valkey, "_SHORT_S", _PRODUCT_SHORT_S)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        flushing.remember()


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        # Each process of `-n` points at its own servers; it must not read settings of this one's.
        del os.environ["DJANGO_SETTINGS_MODULE"]
    config.pluginmanager.register(services, "switchyard-services")
    config.pluginmanager.register(capabilities, "switchyard-capabilities")
    config.add_cleanup(services.CLUSTER.stop)


class _Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Keeps what shares servers or a browser in one process of `-n`, and fleets in the first.

    Not by xdist's marks: under pytest 9.2 it no longer reads them, and says nothing of it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        # Two fleets at once would take from each other what both promise to do in time: all others
        # begin at the end, where the short tests are.
        if node.gateway.id != "gw0":
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Together:
    return _Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # What takes longest first, fleets next, all else behind them.
    slow = {_group(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (_group(item.nodeid) != _BROWSER, _group(item.nodeid) not in slow))
    for item in filter(_may_install, items):
        item.add_marker(pytest.mark.timeout(_INSTALL_S))
    if "soak" in str(config.getoption("markexpr")):
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        items[:] = [item for item in items if item not in soaks]
        config.hook.pytest_deselected(items=soaks)


def _may_install(item: pytest.Item) -> bool:
    """Where nothing says how long it may take."""
    if item.get_closest_marker("timeout"):
        return False
    names = getattr(item, "fixturenames", ())
    return item.path.relative_to(_HERE).parts[0] == "oracles" or not _INSTALLS.isdisjoint(names)


def _group(nodeid: str) -> str:
    return _BROWSER if nodeid.startswith(_BROWSER) else nodeid.partition("::")[0]


def pytest_collection_finish(session: pytest.Session) -> None:
    # All that was imported stays: to look through it again would stop tests that promise times.
    gc.collect()
    gc.freeze()
    if not session.config.getoption("collectonly") and any(map(_needs_services, session.items)):
        services.CLUSTER.start()


def _needs_services(item: pytest.Item) -> bool:
    return item.path.relative_to(_HERE).parts[0] not in _ALONE


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A test that was skipped is not green where nobody reads the summary."""
    if _skipped and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _skipped:
        return
    verdict = "a failure, because CI is set" if os.environ.get("CI") else "skipped"
    terminalreporter.section(f"{len(_skipped)} not tested here ({verdict})", yellow=True, bold=True)
    for lack in capabilities.missing.values():
        terminalreporter.write_line(f"{lack.what}: {lack.remedy}")
