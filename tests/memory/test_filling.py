"""In a real process: what is let go really comes back, and a leak stops work until it is gone."""

import subprocess
import sys

import msgspec

from tests.services import ROOT


def test_a_process_that_fills_up_stays_below_its_limit_and_works_again_after_a_leak() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.filling"], cwd=ROOT, capture_output=True, check=True
    )
    seen = msgspec.json.decode(done.stdout.splitlines()[-1], type=list[tuple[str, int, int, int]])
    levels = [level for level, *_ in seen]
    first = levels.index("half")
    _, had, left, held = seen[first]
    assert left == had // 2
    assert seen[first - 1][3] - held > had // 2 * 15_000, "it came back to the system"
    assert levels[first + 1] == "ok"
    # Nothing but the leak is left to blame.
    assert "all" in levels
    _, _, left, _ = seen[levels.index("all")]
    assert left == 0
    assert levels[-1] == "ok"
