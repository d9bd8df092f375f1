"""Where everything lies under VAR_DIR, and where sockets can lie."""

import hashlib
import os
import re
import shutil
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from console.embedded.errors import EmbeddedError

# Folders whose names need no quoting in a URL, in Postgres's list of folders, in Valkey's options.
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
# A socket's path holds 107 bytes on Linux, 103 on macOS; the longest name below is `.s.PGSQL.5432`.
_SOCKET_BYTES = 103
_LONGEST = "postgres/.s.PGSQL.5432.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one stack: `var` holds its data, `run` its sockets."""

    var: Path
    run: Path

    def data(self, name: str) -> Path:
        return self.var / name

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def sockets(self, name: str) -> Path:
        return self.run / name

    def tidy(self) -> None:
        """Removes what only running servers need, where it lies outside `var`."""
        if not self.run.is_relative_to(self.var):
            shutil.rmtree(self.run, ignore_errors=True)


def places(var: Path) -> Places:
    """Makes the folders of `var`; sockets lie in /tmp where its path or disk cannot hold them."""
    var = var.resolve()
    try:
        var.mkdir(parents=True, exist_ok=True)
        (var / "log").mkdir(exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        raise EmbeddedError(f"VAR_DIR={var} is not a folder: choose another.") from exc
    except OSError as exc:
        raise EmbeddedError(f"VAR_DIR={var} cannot be written: {exc.strerror}.") from exc
    run = var / "run"
    if not _holds_sockets(run):
        digest = hashlib.sha256(str(var).encode()).hexdigest()[:12]
        run = Path(tempfile.gettempdir()) / f"switchyard-{os.geteuid()}-{digest}"
        _own(run)
    return Places(var=var, run=run)


def _holds_sockets(run: Path) -> bool:
    if not _PLAIN.fullmatch(str(run)) or len(str(run / _LONGEST)) > _SOCKET_BYTES:
        return False
    _own(run)
    trial = run / f"trial-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(trial))
        except OSError:  # a shared folder of a virtual machine, for one
            return False
        finally:
            trial.unlink(missing_ok=True)
    return True


def _own(folder: Path) -> None:
    """Makes `folder` and refuses one that somebody else put there (in /tmp anybody can)."""
    # Servers that root starts run as another user, who must get through to their own folder.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folder.mkdir(mode=mode, exist_ok=True)
        found = folder.lstat()
    except OSError as exc:
        raise EmbeddedError(f"{folder} cannot be made: {exc.strerror}.") from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} is not ours, and sockets cannot lie in it: remove it.")
    folder.chmod(mode)
