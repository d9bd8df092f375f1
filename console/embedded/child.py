"""One program under supervision: started, its output passed on, started again when it crashes."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from console.embedded.errors import EmbeddedError
from console.embedded.launch import Launch
from console.embedded.terminal import Terminal
from console.embedded.watchman import Watchman, signal_group

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
READY_S = 60.0
_STEADY_S = 30.0  # having run for so long, it starts at the first delay again
_LINE_BYTES = 16 * 1024
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run under which name. `ready` asks whether it serves yet; what serves no address
    `says` so in a line. Lines that begin with one of `unsaid` are not passed on.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]] | None = None
    says: str = ""
    unsaid: tuple[str, ...] = ()


class Child:
    """Keeps one `Program` running in a process group of its own until it is stopped."""

    def __init__(self, program: Program, terminal: Terminal, watchman: Watchman) -> None:
        self.program = program
        self.starts = 0
        self._terminal = terminal
        self._watchman = watchman
        self._process: asyncio.subprocess.Process | None = None
        self._said = asyncio.Event()
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def keep_running(self) -> None:
        """Starts it whenever it has ended, later each time it ended soon. Ends by cancellation."""
        delay_s = FIRST_DELAY_S
        while True:
            if self._process is None:
                await self.start()
            began = time.monotonic()
            status = await self.ended()
            if time.monotonic() - began > _STEADY_S:
                delay_s = FIRST_DELAY_S
            self._say(f"ended ({spell(status)}); it starts again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def start(self) -> None:
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *Launch(death_signal=signal.SIGTERM).command(self.program.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=self.program.environment,
                process_group=0,  # Ctrl-C in the terminal reaches the supervisor alone
            )
        finally:
            os.close(writing)
        self._watchman.watch(self._process.pid)
        self.starts += 1
        # A pipe of our own: asyncio's would hold up `wait` while a grandchild keeps it open.
        pump = asyncio.create_task(self._pass_on(reading))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def ended(self) -> int:
        """Waits for its end and clears its group: what it left would be in its successor's way."""
        if self._process is None:
            return 0
        status = await self._process.wait()
        signal_group(self._process.pid, signal.SIGKILL)
        self._watchman.forget(self._process.pid)
        self._process = None
        return status

    async def stop(self, grace_s: float) -> None:
        """SIGTERM to the program, and SIGKILL to its group after `grace_s`."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                # To the program alone: Celery's children finish what their parent tells them to.
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), grace_s)
            except TimeoutError:
                self._say(f"did not end in {grace_s:.1f} s and is killed")
                signal_group(process.pid, signal.SIGKILL)
            await self.ended()
        if self._pumps:
            await asyncio.wait(self._pumps, timeout=1)

    def kill(self) -> None:
        """Ends its whole group at once, for somebody who pressed Ctrl-C twice."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGKILL)

    async def wait_ready(self) -> None:
        """Until it serves; EmbeddedError where it ends instead or takes longer than `READY_S`."""
        if self._process is None:
            return
        end = asyncio.create_task(self._process.wait())
        asked = asyncio.create_task(self._asked())
        try:
            async with asyncio.timeout(READY_S):
                await asyncio.wait({end, asked}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as exc:
            raise EmbeddedError(
                f"{self.program.name} did not answer in {READY_S:g} s: see its lines above."
            ) from exc
        finally:
            asked.cancel()
            end.cancel()
        if not asked.done() and end.done():
            raise EmbeddedError(
                f"{self.program.name} ended before it was ready ({spell(end.result())}): "
                "see its lines above."
            )

    async def _asked(self) -> None:
        if self.program.says:
            await self._said.wait()
        ready = self.program.ready
        while ready and not await ready():  # noqa: ASYNC110 - nothing in this process tells when
            await asyncio.sleep(_POLL_S)

    def _say(self, text: str) -> None:
        self._terminal.line(self.program.name, text)

    def _hear(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text and not text.startswith(self.program.unsaid):
            self._say(text)
        if self.program.says and self.program.says in text:
            self._said.set()

    async def _pass_on(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_LINE_BYTES)
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            transport, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            try:
                rest = b""
                while chunk := await reader.read(_LINE_BYTES):
                    *lines, rest = (rest + chunk).split(b"\n")
                    # A line without an end is cut, never gathered.
                    if len(rest) > _LINE_BYTES:
                        lines, rest = [*lines, rest], b""
                    for line in lines:
                        self._hear(line)
                if rest:
                    self._hear(rest)
            finally:
                transport.close()


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def spell(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return f"killed by {signal.Signals(-status).name}"
