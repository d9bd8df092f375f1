"""Judges the operator's environment before anything starts: `python -m console.embedded.preflight`.

A process of its own: what Switchyard's settings import would stay in the supervisor for ever.
"""

import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

_SETTINGS = "console.settings"


def judge(root: Path, environment: Mapping[str, str]) -> int:
    """0, or the exit status of the process whose one line named what is wrong."""
    return subprocess.run(
        [sys.executable, "-m", "console.embedded.preflight"],
        cwd=root,
        env={**environment, "DJANGO_SETTINGS_MODULE": _SETTINGS},
        check=False,
    ).returncode


def _main() -> None:
    # Importing them refuses a bad value by its name, with exit status 2.
    settings = import_module(_SETTINGS)
    if settings.NODES:
        # Only where nodes are given: the demo node needs no judgement, and this costs the start.
        for message in import_module("console.checks").nodes_may_be_asked():
            print(f"switchyard: {message.msg} {message.hint}", file=sys.stderr)  # noqa: T201 - a command's word


if __name__ == "__main__":
    _main()
