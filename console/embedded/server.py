"""One server process: found running or started, waited for, stopped, killed for a test."""

import contextlib
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil

from console.embedded.account import identity_for
from console.embedded.errors import EmbeddedError
from console.embedded.launch import Launch
from console.embedded.places import Places
from console.embedded.processes import alive, end, listener, processes_in

READY_S = 60.0
STOP_S = 6.0
_POLL_S = 0.02
_LEAST_FREE_BYTES = 128 * 1024 * 1024
_LOG_BYTES = 16 * 1024 * 1024
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class Server(ABC):
    """A server of one data folder. `prepare`, `launch`, `wait_ready` may run apart: `launch` must
    run in a thread that lives as long as the server, which ends with the thread that started it.
    """

    stop_signal: ClassVar[signal.Signals]

    def __init__(self, name: str, places: Places) -> None:
        self.name = name
        self.places = places
        self.data = places.data(name)
        self.sockets = places.sockets(name)
        self._process: psutil.Process | None = None
        self._identity = "self"
        self._log_start = 0

    @property
    def home(self) -> Path:
        """The folder its processes work in, by which they are found."""
        return self.data

    @property
    @abstractmethod
    def socket(self) -> Path:
        """Where it listens."""

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client connects to."""

    @abstractmethod
    def probe(self) -> list[str]:
        """A command that ends at once and shows that the program runs at all."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves; False while it starts. EmbeddedError where it never will."""

    @abstractmethod
    def create(self) -> None:
        """Makes the data folder's contents where there are none, refuses what it cannot use."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and alive(self._process)

    def start(self) -> None:
        """Returns once it serves: one already running in the folder is taken over."""
        self.prepare()
        self.launch()
        self.wait_ready()

    def prepare(self) -> None:
        """Everything before the start: the folder and its owner, what runs there from before."""
        if self.running:
            return
        self._identity = identity_for(self.data, self.probe())
        self._own_sockets()
        self._process = self._survivor()
        if self._process is None:
            self._refuse_full_disk()
            self.create()
            self._rotate_log()

    def launch(self) -> None:
        """Starts the process where none runs; returns at once."""
        if self.running:
            return
        log = self.places.log(self.name)
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = psutil.Popen(
                self.launcher().command(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )

    def is_ready(self) -> bool:
        """Whether it serves by now; EmbeddedError with its own words where it has ended instead."""
        if self.answers():
            return True
        if not self.running:
            raise EmbeddedError(self.explain(self.log_tail()))
        return False

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Waits until it serves."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise EmbeddedError(self.silence(timeout_s))
            time.sleep(_POLL_S)

    def silence(self, waited_s: float) -> str:
        return f"{self.name} did not answer in {waited_s:g} s: see {self.places.log(self.name)}."

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Ends it cleanly; killed where it takes longer than `timeout_s`."""
        if self._process is not None:
            end([self._process], self.stop_signal, timeout_s)
            self._process = None

    def kill9(self) -> None:
        """What a crash does: the server and all of its processes at once, nothing written."""
        end(processes_in(self.home), signal.SIGKILL, 0)
        if self._process is not None:
            end([self._process], signal.SIGKILL, 0)
            self._process = None

    def restart(self) -> None:
        """Stops it cleanly and starts it again at the same address."""
        self.stop()
        self.start()

    def launcher(self) -> Launch:
        return Launch(
            identity=self._identity, folder=self.data, death_signal=self.stop_signal, umask=0o077
        )

    def log_tail(self) -> list[str]:
        """The lines it has logged since its last start."""
        try:
            with self.places.log(self.name).open("rb") as log:
                log.seek(self._log_start)
                return log.read(_LOG_BYTES).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def explain(self, lines: list[str]) -> str:
        """One sentence from the log of a start that failed."""
        if any("No space left on device" in line for line in lines):
            return f"The disk that holds {self.data} is full: free some space and start again."
        reason = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        log = self.places.log(self.name)
        return f"{self.name} did not start: {reason.strip()[:300]} (log: {log})."

    def _survivor(self) -> psutil.Process | None:
        """A server left by a start that was killed; what is there but does not serve is ended."""
        process = listener(self.socket)
        if process is not None and process in processes_in(self.home):
            with contextlib.suppress(EmbeddedError):
                self._process = process
                self.wait_ready(timeout_s=10)
                return process
        # One that is shutting down, the children of one that was killed, or one whose socket a
        # cleaner of /tmp has removed: two servers on one folder would destroy it.
        end(processes_in(self.home), self.stop_signal, STOP_S)
        return None

    def _own_sockets(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        owner = self.data.stat()
        if owner.st_uid != self.sockets.stat().st_uid:
            shutil.chown(self.sockets, owner.st_uid, owner.st_gid)

    def _refuse_full_disk(self) -> None:
        free = shutil.disk_usage(self.data).free
        if free < _LEAST_FREE_BYTES:
            raise EmbeddedError(
                f"Only {free >> 20} MB are free on the disk that holds {self.data}, and "
                f"{self.name} needs {_LEAST_FREE_BYTES >> 20} MB: free some, or set VAR_DIR."
            )

    def _rotate_log(self) -> None:
        log = self.places.log(self.name)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
