"""Starts servers and programs in order, keeps them running, and ends them all in reverse order."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from console.embedded.child import FIRST_DELAY_S, LONGEST_DELAY_S, Child, Program
from console.embedded.errors import EmbeddedError
from console.embedded.server import READY_S, Server
from console.embedded.terminal import Terminal
from console.embedded.watchman import Watchman

NAME = "up"
# Together below the ten seconds that `make up` promises.
STOP_S = 6.0
_SERVERS_STOP_S = 2.5
_LEAST_S = 0.3
_WATCH_S = 0.5
_POLL_S = 0.02
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """One run of a stack. `begin` gets the supervisor and starts what the stack consists of."""

    def __init__(self, terminal: Terminal, *, stop_s: float = STOP_S) -> None:
        self._terminal = terminal
        self._stop_s = stop_s
        self._watchman = Watchman(stop_s)
        self._stages: list[list[Child]] = []
        self._servers: list[Server] = []
        self._tasks = asyncio.TaskGroup()
        self._asked_to_stop = asyncio.Event()

    async def run(self, begin: Callable[["Supervisor"], Awaitable[None]]) -> int:
        """Until a signal asks for the end (0) or something cannot be started (1)."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        work = asyncio.create_task(self._work(begin))
        stop = asyncio.create_task(self._asked_to_stop.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        work.cancel()
        try:
            return await self._status_of(work)
        finally:
            await self._shut_down()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    async def serve(self, servers: Sequence[Server]) -> None:
        """Starts `servers` side by side; returns once all serve. A crash restarts one."""
        await asyncio.gather(*(asyncio.to_thread(server.prepare) for server in servers))
        for server in servers:
            self._servers.append(server)
            self._launch(server)
        await asyncio.gather(*map(self._until_ready, servers))
        for server in servers:
            self._tasks.create_task(self._keep_serving(server))

    async def once(self, program: Program) -> int:
        """Runs `program` to its end; its exit status."""
        child = self._child(program)
        self._stages.append([child])
        await child.start()
        status = await child.ended()
        self._stages.remove([child])
        return status

    async def keep(self, *programs: Program) -> None:
        """Starts `programs` side by side; returns once all are ready. They stop together."""
        children = [self._child(program) for program in programs]
        self._stages.append(children)
        for child in children:
            await child.start()
        await asyncio.gather(*(child.wait_ready() for child in children))
        for child in children:
            self._tasks.create_task(child.keep_running())

    def say(self, text: str) -> None:
        self._terminal.line(NAME, text)

    def _child(self, program: Program) -> Child:
        return Child(program, self._terminal, self._watchman)

    async def _work(self, begin: Callable[["Supervisor"], Awaitable[None]]) -> None:
        async with self._tasks:
            self._tasks.create_task(self._watch_terminal())
            await begin(self)

    async def _status_of(self, work: asyncio.Task[None]) -> int:
        await asyncio.wait({work})
        error = None if work.cancelled() else work.exception()
        if error is None:
            return 0
        known, unknown = (
            error.split(EmbeddedError) if isinstance(error, BaseExceptionGroup) else (None, error)
        )
        for reason in _flat(known) if known else []:
            self.say(str(reason))
        if unknown is not None:  # a mistake of ours: its traceback belongs on the terminal
            raise unknown
        return 1

    def _launch(self, server: Server) -> None:
        # In this thread, which lasts: a server ends with the thread that started it.
        if server.running:
            self.say(f"{server.name} was still running and is taken over")
        server.launch()

    async def _until_ready(self, server: Server) -> None:
        try:
            async with asyncio.timeout(READY_S):
                while not await asyncio.to_thread(server.is_ready):  # noqa: ASYNC110 - it does not tell
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as exc:
            raise EmbeddedError(server.silence(READY_S)) from exc

    async def _keep_serving(self, server: Server) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            await asyncio.sleep(_WATCH_S)
            if server.running:
                delay_s = FIRST_DELAY_S
                continue
            self.say(f"{server.name} has ended and is started again")
            try:
                await asyncio.to_thread(server.prepare)
                server.launch()
                await self._until_ready(server)
                self.say(f"{server.name} serves again")
            except EmbeddedError as exc:
                self.say(f"{exc} Next attempt in {delay_s:g} s.")
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def _watch_terminal(self) -> None:
        while not self._terminal.broken:  # noqa: ASYNC110 - any writer may set it
            await asyncio.sleep(_WATCH_S)
        self._asked_to_stop.set()

    def _on_signal(self) -> None:
        if self._asked_to_stop.is_set():
            for stage in self._stages:
                for child in stage:
                    child.kill()
            return
        self.say("stopping (once more ends it at once)")
        self._asked_to_stop.set()

    async def _shut_down(self) -> None:
        """Ends what was started last first. One bound for all: they may not hang in turn."""
        programs_end = time.monotonic() + self._stop_s
        while self._stages:
            left_s = max(programs_end - time.monotonic(), _LEAST_S)
            await asyncio.gather(*(child.stop(left_s) for child in self._stages[-1]))
            self._stages.pop()
        # `prepare` may still run in a thread: it must not start what is being stopped.
        await asyncio.get_running_loop().shutdown_default_executor()
        servers_end = time.monotonic() + _SERVERS_STOP_S
        for server in reversed(self._servers):
            server.stop(max(servers_end - time.monotonic(), _LEAST_S))
        self._watchman.dismiss()
        self.say("stopped")


def _flat(group: BaseExceptionGroup[EmbeddedError]) -> list[EmbeddedError]:
    found: list[EmbeddedError] = []
    for error in group.exceptions:
        found += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
