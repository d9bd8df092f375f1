"""What tests use where a machine has it: a browser, a real node, PgBouncer, Prometheus."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.services import ROOT

ANVIL_VERSION = "1.7.1"
# Beside nothing of `make up`'s: kept between sessions, ignored by git.
_ANVIL = ROOT / "var" / "tools" / f"anvil-{ANVIL_VERSION}"
_NPM_S = 180
_NODE = 20
# OpenFeature's own SDKs and OFREP providers for JavaScript, each at its version.
_OPENFEATURE = {
    "core": "1.12.0",
    "server-sdk": "1.23.0",
    "web-sdk": "1.10.0",
    "ofrep-core": "0.1.4",
    "ofrep-provider": "0.1.3",
    "ofrep-web-provider": "0.4.3",
}
_CLIENTS = ROOT / "var" / "tools" / f"openfeature-js-{_OPENFEATURE['ofrep-web-provider']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What this session could not test, and how a person gets it."""

    what: str
    remedy: str


missing: dict[str, Missing] = {}


def _lacks(name: str, what: str, remedy: str) -> None:
    missing[name] = Missing(what=what, remedy=remedy)
    pytest.skip(f"{what} is not here: {remedy}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium: `playwright.chromium.launch(executable_path=chromium, args=[…])`."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        _lacks("chromium", "Chromium (pages in a browser)", "apt-get install chromium")
    return str(found)


@pytest.fixture(scope="session")
def pgbouncer() -> str:
    """The path of a PgBouncer."""
    found = shutil.which(
        "pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if not found:
        _lacks("pgbouncer", "PgBouncer (pooled connections)", "apt-get install pgbouncer")
    return str(found)


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of Prometheus' tool, which judges metrics and rules."""
    return _of_prometheus("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The path of a Prometheus."""
    return _of_prometheus("prometheus")


def _of_prometheus(name: str) -> str:
    found = shutil.which(name)
    if not found:
        _lacks(
            "prometheus", "Prometheus (metrics, rules, long ranges)", "apt-get install prometheus"
        )
    return str(found)


@pytest.fixture(scope="session")
def anvil() -> str:
    """The path of Foundry's anvil, installed once by npm."""
    try:
        return _anvil()
    except (OSError, subprocess.SubprocessError) as exc:
        reason = f"install nodejs and npm, and let npm reach its registry ({type(exc).__name__})"
        _lacks("anvil", f"anvil {ANVIL_VERSION} (a real Ethereum node)", reason)
        raise  # unreachable: _lacks skips


@cache
def _anvil() -> str:
    _npm(_ANVIL, f"@foundry-rs/anvil@{ANVIL_VERSION}")
    binary = next(Path(_ANVIL).glob("node_modules/@foundry-rs/anvil-*/bin/anvil"), None)
    if binary is None:
        raise FileNotFoundError("npm has no anvil for this machine")
    subprocess.run([str(binary), "--version"], check=True, capture_output=True, timeout=30)
    return str(binary)


@pytest.fixture(scope="session")
def openfeature_js() -> Path:
    """The folder in which OpenFeature's packages for JavaScript were installed once by npm."""
    try:
        node = subprocess.run(["node", "--version"], check=True, capture_output=True, timeout=30)
        if int(node.stdout.split(b".")[0].lstrip(b"v")) < _NODE:
            _lacks("node", f"Node.js {_NODE}", f"install nodejs {_NODE} or newer")
        _npm(_CLIENTS, *(f"@openfeature/{name}@{at}" for name, at in _OPENFEATURE.items()))
    except (OSError, subprocess.SubprocessError) as exc:
        reason = f"install nodejs and npm, and let npm reach its registry ({type(exc).__name__})"
        _lacks("openfeature", "OpenFeature's providers for JavaScript", reason)
    return _CLIENTS


def _npm(place: Path, *packages: str) -> None:
    """Installs packages into a folder, unless they are there; the whole of them or nothing."""
    if place.exists():
        return
    unfinished = place.with_name(f"unfinished-{os.getpid()}")
    command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
    command += ["--prefix", str(unfinished), *packages]
    try:
        unfinished.mkdir(parents=True)
        subprocess.run(command, check=True, capture_output=True, timeout=_NPM_S)
        with contextlib.suppress(OSError):  # another process was first
            unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
