"""The flags that held last, in a file: what a process that starts without Postgres begins with.

Written whole and renamed, so that a reader sees one state or the other; checked when read, and
never believed where Postgres can be asked.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

NAME: Final = "flags.json"
# A thousand flags are about a megabyte.
LARGEST: Final = 8 * 1024 * 1024


class Unusable(ValueError):
    """What is in the file is not to be believed; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    document: Mapping[str, Any]
    revision: int
    # When it was written, by this machine's clock.
    saved_at: float


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    revision: int
    saved_at: float
    # Of `document` as it is written here.
    digest: str
    document: msgspec.Raw


def save(path: Path, document: Mapping[str, Any], revision: int) -> None:
    """Raises OSError where it cannot be written, Unusable where it is too large to be read."""
    body = msgspec.json.encode(document)
    file = _File(
        revision=revision, saved_at=time.time(), digest=_digest(body), document=msgspec.Raw(body)
    )
    content = msgspec.json.encode(file)
    if len(content) > LARGEST:
        raise Unusable(f"{len(content)} bytes: no more than {LARGEST} are kept")
    path.parent.mkdir(parents=True, exist_ok=True)
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
