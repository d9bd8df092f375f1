"""The flags that held last, in a file: what a process that starts without Postgres begins with.

Written whole and renamed, so that a reader sees one state or the other; checked when read, and
never believed where Postgres can be asked.
"""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

NAME: Final = "flags.json"
# A thousand flags are about a megabyte.
LARGEST: Final = 8 * 1024 * 1024
# Processes that read within so long of each other may have written in any order.
_AT_ONCE_S: Final = 5.0


class Unusable(ValueError):
    """What is in the file is not to be believed; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    document: Mapping[str, Any]
    revision: int
    # When it was asked of Postgres, by this machine's clock.
    saved_at: float


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    revision: int
    saved_at: float
    # Of `document` as it is written here.
    digest: str
    document: msgspec.Raw


def save(
    path: Path,
    document: Mapping[str, Any],
    revision: int,
    *,
    read_at: float | None = None,
    is_restored: bool = False,
) -> bool:
    """False where another process has kept a newer revision since `read_at`, when Postgres was
    asked (now, unless told). `is_restored`: it said a lower one than before, which is to be kept.

    Raises OSError where it cannot be written, Unusable where it is too large to be read.
    """
    body = msgspec.json.encode(document)
    read_at = time.time() if read_at is None else read_at
    file = _File(
        revision=revision, saved_at=read_at, digest=_digest(body), document=msgspec.Raw(body)
    )
    content = msgspec.json.encode(file)
    if len(content) > LARGEST:
        raise Unusable(f"{len(content)} bytes: no more than {LARGEST} are kept")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        if not is_restored and _is_newer(path, revision, read_at):
            return False
        _replace(path, content)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of all processes of this machine; the lock is the folder's own and leaves no file."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_newer(path: Path, revision: int, read_at: float) -> bool:
    """Whether the file holds what a slower process must not undo. What was kept well before is of
    another database then, of which a backup was restored.
    """
    try:
        kept = load(path)
    except (Unusable, OSError):
        return False
    return bool(kept and kept.revision > revision and kept.saved_at > read_at - _AT_ONCE_S)


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(handle)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: Path) -> Kept | None:
    """None where there is no such file. Raises Unusable, or OSError where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    if len(content) > LARGEST:
        raise Unusable(f"more than {LARGEST} bytes")
    try:
        found = msgspec.json.decode(content, type=_File)
        document = msgspec.json.decode(found.document)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise Unusable(f"is not what was written: {exc}") from exc
    if found.digest != _digest(bytes(found.document)):
        raise Unusable("its digest is not that of its content")
    if found.revision < 0 or not isinstance(document, dict):
        raise Unusable("holds no flags")
    return Kept(document=document, revision=found.revision, saved_at=found.saved_at)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()
