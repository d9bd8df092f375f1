"""The test session: its servers, what the machine lacks, and an honest last word."""

import os
from pathlib import Path

import django
import pytest

# First: it points the environment at the session's servers before any settings are read.
from tests import capabilities, flushing, services, static_files

# Now, not in pytest_configure: conftests of folders named on the command line load before it.
django.setup()
flushing.allow()
static_files.find_once()

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
_skipped: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        # Each process of `-n` points at its own servers; it must not read settings of this one's.
        del os.environ["DJANGO_SETTINGS_MODULE"]
    config.pluginmanager.register(services, "switchyard-services")
    config.pluginmanager.register(capabilities, "switchyard-capabilities")
    config.add_cleanup(services.CLUSTER.stop)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        # What shares servers or a browser stays in one process of `-n`.
        place = item.path.relative_to(_HERE)
        group = place.parts[0] if place.parts[0] == "browser" else str(place)
        item.add_marker(pytest.mark.xdist_group(group))
    if "soak" in str(config.getoption("markexpr")):
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        items[:] = [item for item in items if item not in soaks]
        config.hook.pytest_deselected(items=soaks)


def pytest_collection_finish(session: pytest.Session) -> None:
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
