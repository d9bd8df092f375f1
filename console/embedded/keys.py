"""Secrets that a stack makes for itself once: Django's key, the first password of `admin`."""

import os
import secrets
from pathlib import Path

from console.embedded.errors import EmbeddedError

# The exit status of `manage.py up --prepare` when it has made the user `admin`.
ADMIN_MADE = 10


def secret_key_file(var: Path) -> Path:
    """The file with this stack's SECRET_KEY, made where absent, readable by its owner alone."""
    path = var / "secret_key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(50))
    return path


def new_password() -> str:
    return secrets.token_urlsafe(12)


def write_private(path: Path, text: str) -> None:
    """Writes `path` whole or not at all, for its owner alone."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as exc:
        raise EmbeddedError(f"{path} cannot be written: {exc.strerror}.") from exc
