"""One loop in one thread, from any thread, started after the fork."""

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from validation.rpc import Portal


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    portal.start()
    yield portal
    portal.stop()


async def thread_name() -> str:
    return threading.current_thread().name


def test_coroutines_run_on_the_portals_thread(portal: Portal) -> None:
    assert portal.run(thread_name()) == "rpc-portal"
    assert portal.submit(thread_name()).result(5) == "rpc-portal"


def test_starting_twice_is_one_thread(portal: Portal) -> None:
    portal.start()
    assert sum(thread.name == "rpc-portal" for thread in threading.enumerate()) == 1


def test_an_error_comes_back_to_the_caller(portal: Portal) -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        portal.run(fail())


def test_what_takes_too_long_is_cancelled(portal: Portal) -> None:
    cancelled = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        portal.run(wait(), timeout_s=0.05)
    assert cancelled.wait(5)


def test_stopping_cancels_what_runs_and_ends_the_thread(portal: Portal) -> None:
    started = threading.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    future = portal.submit(wait())
    assert started.wait(5)
    portal.stop()
    assert future.cancelled()
    assert not portal.is_running
    assert all(thread.name != "rpc-portal" for thread in threading.enumerate())
    portal.stop()


def test_it_may_start_again(portal: Portal) -> None:
    portal.stop()
    portal.start()
    assert portal.run(thread_name()) == "rpc-portal"


def test_one_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="start"):
        Portal().run(thread_name())


def test_waiting_for_itself_is_refused(portal: Portal) -> None:
    async def nested() -> None:
        portal.run(thread_name())

    with pytest.raises(RuntimeError, match="await"):
        portal.run(nested())


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_starts_its_own(portal: Portal) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # no assertion, no pytest: tell the parent and go
        told = b"?"
        try:
            was_running = portal.is_running
            portal.start()
            told = b"ok" if not was_running and portal.run(thread_name(), 5) else b"no"
        finally:
            os.write(write, told)
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"ok"
    os.waitpid(child, 0)
    assert portal.run(thread_name()) == "rpc-portal"
