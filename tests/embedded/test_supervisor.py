"""Programs and servers are kept running, and nothing of them is left behind."""

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from console.embedded.child import Program, python
from console.embedded.cluster import Cluster
from console.embedded.postgres import FAST
from console.embedded.supervisor import Supervisor
from console.embedded.terminal import Terminal
from tests.services import ROOT

SLEEPS = "import signal; print('here', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPS
# Its child ignores SIGTERM, as a prefork child in the middle of a task may.
PARENT = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
print("child", child.pid, flush=True)
{SLEEPS}
"""
CRASHING = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print("child", child.pid, flush=True)
os._exit(1)
"""


class Recorder(Terminal):
    """Keeps the lines, and wakes who waits for one."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def line(self, name: str, text: str) -> None:
        self.lines.append(f"{name}: {text}")
        self._more.set()

    async def saw(self, text: str, times: int = 1) -> str:
        async with asyncio.timeout(30):
            while len(found := [line for line in self.lines if text in line]) < times:
                self._more.clear()
                await self._more.wait()
        return found[-1]


def program(code: str, name: str = "program", *, says: str = "") -> Program:
    command = python("-c", code)
    return Program(name=name, command=command, environment=dict(os.environ), says=says)


async def run_until(
    terminal: Recorder,
    begin: Callable[[Supervisor], Awaitable[None]],
    then: Callable[[], Awaitable[None]],
    *,
    stop_s: float = 5.0,
) -> int:
    """Runs a supervisor, does `then` beside it, and ends it as a person would."""
    running = asyncio.create_task(Supervisor(terminal, stop_s=stop_s).run(begin))
    try:
        await then()
    finally:
        signal.raise_signal(signal.SIGINT)
        status = await running
    return status


async def test_a_crashed_program_starts_again_ever_later() -> None:
    terminal = Recorder()
    status = await run_until(
        terminal,
        lambda supervisor: supervisor.keep(program("raise SystemExit(3)")),
        lambda: _saw(terminal, "starts again", times=2),
    )
    assert status == 0
    assert "program: ended (exit status 3); it starts again in 0.5 s" in terminal.lines
    assert "program: ended (exit status 3); it starts again in 1 s" in terminal.lines


async def _saw(terminal: Recorder, text: str, times: int = 1) -> None:
    await terminal.saw(text, times)


async def test_output_is_passed_on_under_the_programs_name_even_unfinished() -> None:
    terminal = Recorder()
    code = "import sys; print('one'); print('two', file=sys.stderr); print('end', end='')"
    await run_until(
        terminal,
        lambda supervisor: supervisor.keep(program(code)),
        lambda: _saw(terminal, "ended"),
    )
    assert {"program: one", "program: two", "program: end"} <= set(terminal.lines)


async def test_blank_lines_and_what_is_unsaid_are_not_passed_on() -> None:
    terminal = Recorder()
    talking = program("print('advice: wait\\n\\n \\nno advice: go')")
    await run_until(
        terminal,
        lambda supervisor: supervisor.keep(replace(talking, unsaid=("advice", "other"))),
        lambda: _saw(terminal, "ended"),
    )
    said = [line for line in terminal.lines if line.startswith("program:")]
    assert said[0] == "program: no advice: go"
    assert said[1].startswith("program: ended")


async def test_a_line_without_an_end_is_cut() -> None:
    terminal = Recorder()
    await run_until(
        terminal,
        lambda supervisor: supervisor.keep(program("print('x' * 1_000_000, end='')")),
        lambda: _saw(terminal, "ended"),
    )
    assert max(map(len, terminal.lines)) < 64 * 1024
    assert sum(line.count("x") for line in terminal.lines) >= 1_000_000


async def test_programs_start_in_order_once_those_before_are_ready() -> None:
    terminal = Recorder()

    async def begin(supervisor: Supervisor) -> None:
        await supervisor.keep(
            program("print('serving', flush=True);" + SLEEPS, "a", says="serving")
        )
        await supervisor.keep(program(SLEEPS, "b"))

    await run_until(terminal, begin, lambda: _saw(terminal, "b: here"))
    assert terminal.lines.index("a: serving") < terminal.lines.index("b: here")


async def test_a_program_that_ends_before_it_is_ready_ends_everything() -> None:
    terminal = Recorder()
    others = program(SLEEPS, "other")

    async def begin(supervisor: Supervisor) -> None:
        await supervisor.keep(others)
        await supervisor.keep(program("raise SystemExit('no')", says="never"))

    assert await Supervisor(terminal).run(begin) == 1
    line = "up: program ended before it was ready (exit status 1): see its lines above."
    assert line in terminal.lines
    assert terminal.lines[-1] == "up: stopped"


async def test_a_program_that_ignores_sigterm_is_killed() -> None:
    terminal = Recorder()
    await run_until(
        terminal,
        lambda supervisor: supervisor.keep(program(STUBBORN)),
        lambda: _saw(terminal, "here"),
        stop_s=0.2,
    )
    assert any(
        re.search(r"program: did not end in 0\.\d+ s and is killed", line)
        for line in terminal.lines
    )


async def test_programs_that_hang_in_turn_share_one_bound() -> None:
    terminal = Recorder()

    async def begin(supervisor: Supervisor) -> None:
        for name in ("a", "b", "c"):
            await supervisor.keep(program(STUBBORN, name))

    async def all_here() -> None:
        await terminal.saw("here", times=3)

    async with asyncio.timeout(30):
        await run_until(terminal, begin, all_here, stop_s=1.0)
    killed = [line for line in terminal.lines if "is killed" in line]
    assert [line[0] for line in killed] == ["c", "b", "a"]
    assert all("in 0.3 s" in line for line in killed[1:])


async def test_a_second_ctrl_c_does_not_wait() -> None:
    terminal = Recorder()

    async def twice() -> None:
        await terminal.saw("here")
        signal.raise_signal(signal.SIGINT)
        await terminal.saw("stopping")

    async with asyncio.timeout(20):
        await run_until(
            terminal,
            lambda supervisor: supervisor.keep(program(STUBBORN)),
            twice,
            stop_s=3600,
        )


async def test_what_a_program_started_ends_with_it() -> None:
    terminal = Recorder()
    await run_until(
        terminal,
        lambda supervisor: supervisor.keep(program(PARENT)),
        lambda: _saw(terminal, "here", times=2),
    )
    assert _gone(int((await terminal.saw("child ")).split()[-1]))


async def test_what_a_crashed_program_started_ends_with_it() -> None:
    terminal = Recorder()
    await run_until(
        terminal,
        lambda supervisor: supervisor.keep(program(CRASHING)),
        lambda: _saw(terminal, "ended"),
    )
    children = [int(line.split()[-1]) for line in terminal.lines if "child " in line]
    assert children
    assert all(map(_gone, children))


async def test_a_crashed_server_starts_again(tmp_path: Path) -> None:
    terminal = Recorder()
    cluster = Cluster.under(tmp_path, settings=FAST)

    async def crash() -> None:
        await terminal.saw("served")
        await asyncio.to_thread(cluster.cache.kill9)
        await terminal.saw("cache has ended and is started again")
        await terminal.saw("cache serves again")
        assert cluster.cache.answers()

    async def begin(supervisor: Supervisor) -> None:
        await supervisor.serve([cluster.cache])
        supervisor.say("served")

    await run_until(terminal, begin, crash)
    assert not cluster.cache.running


async def test_a_server_that_cannot_start_is_explained(tmp_path: Path) -> None:
    terminal = Recorder()
    cluster = Cluster.under(tmp_path, settings=FAST)
    cluster.postgres.data.mkdir()
    (cluster.postgres.data / "notes.txt").write_text("")
    status = await Supervisor(terminal).run(lambda supervisor: supervisor.serve(cluster.servers))
    assert status == 1
    assert any("holds files but no Postgres database" in line for line in terminal.lines)


async def test_a_reader_that_goes_away_ends_everything() -> None:
    terminal = Recorder()

    async def begin(supervisor: Supervisor) -> None:
        await supervisor.keep(program(SLEEPS))
        terminal.broken = True

    async with asyncio.timeout(20):
        assert await Supervisor(terminal).run(begin) == 0


KILLED = f"""
import asyncio, os, sys
from pathlib import Path
from console.embedded.child import Program, python
from console.embedded.supervisor import Supervisor
from console.embedded.terminal import Terminal
from console.embedded.cluster import Cluster

async def begin(supervisor):
    cache = Cluster.under(Path(sys.argv[1])).cache
    await supervisor.serve([cache])
    supervisor.say(f"child {{cache.pid}}")
    program = Program(name="p", command=python("-c", {PARENT!r}), environment=dict(os.environ))
    await supervisor.keep(program)

asyncio.run(Supervisor(Terminal(), stop_s=0.5).run(begin))
"""


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        lines: list[str] = []
        while sum("here" in line for line in lines) < 2:
            lines.append(supervisor.stdout.readline())
            assert lines[-1], lines
        left = psutil.Process(supervisor.pid).children(recursive=True)
        # The server, the program, its child, and the watchman who ends what ignores SIGTERM.
        assert len(left) == 4
        supervisor.kill()
        _, alive = psutil.wait_procs(left, timeout=20)
    assert not [process for process in alive if not _gone(process.pid)]


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(
    ("person_looks", "no_color", "expected"),
    [(False, "", "web      | hi\n"), (True, "1", "web      | hi\n"), (True, "", "\033[36m")],
)
def test_colour_is_for_people(
    monkeypatch: pytest.MonkeyPatch, person_looks: bool, no_color: str, expected: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: person_looks)
    Terminal(stream).line("web", "hi")
    assert stream.getvalue().startswith(expected)


def test_a_closed_terminal_is_noticed_not_raised() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    stream.close()
    terminal.line("web", "hi")
    assert terminal.broken
