"""A fault ends whatever becomes of who caused it: in time, by Ctrl-C, by SIGTERM, by SIGKILL."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet import wait_until
from tests.services import ROOT


@contextmanager
def _caused(folder: Path, for_s: float) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.made_up", str(folder), str(for_s)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def _healed(folder: Path) -> bool:
    healed = folder / "healed"
    return healed.exists() and healed.read_text() == "as before" and not _is_caused(folder)


def _is_caused(folder: Path) -> bool:
    return (folder / "caused").exists()


def test_it_is_kept_up_and_ends_in_time(tmp_path: Path) -> None:
    with _caused(tmp_path, 0.3) as process:
        assert process.wait(timeout=20) == 0
        assert _healed(tmp_path), "before the command returns"
        assert (tmp_path / "kept").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_who_caused_it(number: signal.Signals, tmp_path: Path) -> None:
    with _caused(tmp_path, 60) as process:
        assert _is_caused(tmp_path)
        process.send_signal(number)
        process.wait(timeout=20)
        wait_until(lambda: _healed(tmp_path), within_s=20, what=f"healed after {number.name}")
