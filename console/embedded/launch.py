"""Becomes another program: as another user where asked, and ended when its parent ends.

Run as a script, with the standard library alone, by `Launch.command`: a fork hook in the parent
would not be safe beside its threads.
"""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a program is started: as whom ("self", "switch:UID:GID", "namespace:UID:GID"), where."""

    identity: str = "self"
    folder: Path | None = None
    death_signal: signal.Signals = signal.SIGTERM
    umask: int | None = None

    def command(self, program: list[str]) -> list[str]:
        """The arguments that start `program` through this module."""
        return [
            sys.executable,
            "-ISB",
            __file__,
            str(os.getpid()),
            str(int(self.death_signal)),
            self.identity,
            str(self.folder or ""),
            "" if self.umask is None else str(self.umask),
            *program,
        ]


def become(identity: str) -> None:
    """Gives up root: by changing the user, or by being root under another number.

    The namespace is for folders that only root can reach (a checkout in /root): Postgres refuses
    to run as user 0, and in the namespace it is user 0 outside only.
    """
    if identity == "self":
        return
    way, uid, gid = identity.split(":")
    if way == "switch":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
        return
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {outside_uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {outside_gid} 1", encoding="ascii")


def end_with_parent(parent: int, death_signal: int) -> None:
    """Asks the kernel for `death_signal` when the parent ends; only Linux knows how."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        raise SystemExit(1)


def main(arguments: list[str]) -> None:
    parent, death_signal, identity, folder, umask, *program = arguments
    try:
        become(identity)
        if folder:
            os.chdir(folder)
        if umask:
            os.umask(int(umask))
        # After the change of user, which would clear the request.
        end_with_parent(int(parent), int(death_signal))
        os.execvp(program[0], program)  # noqa: S606 - the program is the caller's
    except OSError as exc:
        print(f"cannot start {program[0]}: {exc}", file=sys.stderr)  # noqa: T201 - a script
        raise SystemExit(126) from exc


if __name__ == "__main__":
    main(sys.argv[1:])
