"""What a worker process loads at its start, and what only pages and experiments need."""

import json
import subprocess
import sys

import pytest

from tests.services import ROOT

# As `celery worker` does before it forks: settings, apps, all tasks.
_START = """
import json, sys
from console.celery import app
app.loader.import_default_modules()
app.finalize()
assert "experiments.begin" in app.tasks and "validation.drain" in app.tasks
print(json.dumps(sorted(sys.modules)))
"""
# Tracing is off; redis brings the SDK's metrics by itself, wherever they are installed.
NOT_NEEDED = (
    *("numpy", "markdown_it", "requests", "apprise", "ninja", "pydantic"),
    *("opentelemetry.sdk.trace", "opentelemetry.exporter"),
    *("console.urls", "console.api", "console.experiments.measuring", "validation.devnode"),
)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _START],
        cwd=ROOT,
        env={"PATH": "", "DEBUG": "1", "VAR_DIR": str(ROOT / "var" / "none")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_a_worker_starts_without(name: str, loaded: set[str]) -> None:
    assert name not in loaded


def test_a_worker_starts_without_any_page(loaded: set[str]) -> None:
    assert not [name for name in loaded if name.startswith("console.pages")]
