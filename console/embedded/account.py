"""Decides as whom a server runs: Postgres refuses root, and its files have one owner."""

import os
import pwd
import subprocess
from pathlib import Path

from console.embedded.errors import EmbeddedError
from console.embedded.launch import Launch

NOBODY = "nobody"


def identity_for(data: Path, probe: list[str]) -> str:
    """The `Launch.identity` that owns `data` (created where absent) and can run `probe` there."""
    fresh = not data.exists()
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = data.stat().st_uid
    except OSError as exc:
        raise EmbeddedError(f"{data} cannot be made or read: {exc.strerror}.") from exc
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise EmbeddedError(
                f"{data} belongs to user {_name(owner)}: start as that user, "
                "remove the folder, or choose another with VAR_DIR."
            )
        return "self"
    if not fresh and owner != 0:
        return _reachable(data, probe, f"switch:{owner}:{data.stat().st_gid}")
    return _new_identity(data, probe, fresh=fresh)


def _new_identity(data: Path, probe: list[str], *, fresh: bool) -> str:
    """Prefers a user without rights; root's own files, and folders only root reaches, keep root."""
    user = _unprivileged(data.parent)
    if fresh or not any(data.iterdir()):
        os.chown(data, user.pw_uid, user.pw_gid)
        switched = f"switch:{user.pw_uid}:{user.pw_gid}"
        if _runs(data, probe, switched) is None:
            return switched
        os.chown(data, 0, 0)
    return _reachable(data, probe, f"namespace:{user.pw_uid}:{user.pw_gid}")


def _unprivileged(folder: Path) -> pwd.struct_passwd:
    """Whose folder it is, so that `sudo make up` leaves nothing its owner cannot use."""
    try:
        owner = pwd.getpwuid(folder.stat().st_uid)
    except KeyError:
        owner = None
    try:
        return owner if owner is not None and owner.pw_uid != 0 else pwd.getpwnam(NOBODY)
    except KeyError as exc:
        raise EmbeddedError(
            "Postgres refuses to run as root and there is no user nobody: start as another user, "
            "or set DATABASE_URL, REDIS_URL and CELERY_BROKER_URL."
        ) from exc


def _reachable(data: Path, probe: list[str], identity: str) -> str:
    failure = _runs(data, probe, identity)
    if failure is None:
        return identity
    raise EmbeddedError(
        f"{probe[0]} cannot run in {data} without root's rights ({failure}): "
        "start as the user who owns the checkout, or choose a folder others may enter with VAR_DIR."
    )


def _runs(data: Path, probe: list[str], identity: str) -> str | None:
    """None where `probe` runs in `data` as `identity`, else why not."""
    launch = Launch(identity=identity, folder=data)
    try:
        done = subprocess.run(
            launch.command(probe), capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return str(exc)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason"])[-1]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
