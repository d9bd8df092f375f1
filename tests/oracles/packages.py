"""Packages that only the oracles need, installed by name once and kept beside anvil.

None of them fits the locked environment (the execution specs ask for an older coincurve), so they
stay outside of it, in exact versions and without what they depend on.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.capabilities import Missing, missing
from tests.services import ROOT

_TOOLS = ROOT / "var" / "tools"
_INSTALL_S = 180

SPECS = "ethereum-execution==2.20.0"
# What it imports and the locked environment lacks.
_BESIDE = [
    "ethereum-types==0.2.5",
    "ethereum-rlp==0.1.7",
    "pycryptodome==3.23.0",
    "cryptography==45.0.7",
    "cffi==2.0.0",
    "pycparser==2.23",
    "py-ecc==8.0.0",
]


@cache
def specs_folder() -> Path:
    """Where the Ethereum execution specs are, with real blocks of mainnet in `ethereum/assets`."""

    def install(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(*pip, "--no-deps", "--only-binary=:all:", "--target", str(folder), SPECS, *_BESIDE)

    name = f"{SPECS}-{sys.implementation.cache_tag}"
    return _had("The Ethereum execution specs (an oracle)", "PyPI", name, install)


@cache
def npm_folder(package: str) -> Path:
    """The files of one exact version of a package of npm, its dependencies not."""

    def install(folder: Path) -> None:
        packed = _run("npm", "pack", "--silent", "--pack-destination", str(folder), package)
        shutil.unpack_archive(folder / packed.split()[-1], folder, filter="data")

    name = package.replace("/", "-")
    return _had(f"{package} (real data)", "npm", name, install) / "package"


def _had(what: str, registry: str, name: str, install: Callable[[Path], None]) -> Path:
    place = _TOOLS / name
    if place.exists():
        return place
    unfinished = place.with_name(f"unfinished-{name}-{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
        install(unfinished)
        with contextlib.suppress(OSError):  # another process was first
            unfinished.rename(place)
    except (OSError, subprocess.SubprocessError) as exc:
        remedy = f"let its client reach {registry} once ({type(exc).__name__})"
        missing[name] = Missing(what=what, remedy=remedy)
        pytest.skip(f"{what} is not here: {remedy}")
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return place


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
    return done.stdout
