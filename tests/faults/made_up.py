"""`python -m tests.faults.made_up FOLDER FOR_S`: causes a fault that is a file, through what is
shipped.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from console.faults.causing import cause
from console.faults.fault import Fault, Memo


def _fault(folder: Path) -> Fault:
    def touch(name: str) -> Callable[[Memo], None]:
        def write(memo: Memo) -> None:
            (folder / name).write_text(memo["was"])

        return write

    def heal(memo: Memo) -> None:
        (folder / "healed").write_text(memo["was"])
        (folder / "caused").unlink(missing_ok=True)

    def prepare() -> Memo:
        return {"was": "as before"}

    return Fault(
        name="made-up", does="", look="", rule="", runbook="",
        prepare=prepare, cause=touch("caused"), keep=touch("kept"), heal=heal,
    )  # fmt: skip


if __name__ == "__main__":
    begun = partial(print, "begun", flush=True)
    cause(_fault(Path(sys.argv[1])), float(sys.argv[2]), begun=begun)
