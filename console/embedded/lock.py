"""One stack a folder: the second `make up` is told who has it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.embedded.errors import EmbeddedError


@contextmanager
def hold(var: Path) -> Iterator[None]:
    """Holds `var` for this process; the kernel lets go of it however the process ends."""
    path = var / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise EmbeddedError(f"{path} cannot be written: {exc.strerror}.") from exc
    with os.fdopen(descriptor, "r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = file.read(20).strip() or "unknown"
            raise EmbeddedError(
                f"Switchyard already runs in {var} (process {holder}): "
                "use that one, end it, or start a second with another VAR_DIR and PORT."
            ) from exc
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.seek(0)
        file.truncate()
