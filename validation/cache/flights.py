"""Who in this process is asking for what: the first asks, the others wait for it."""

import asyncio
from typing import Any


class Flight:
    """One question under way. Its leader is a caller itself: nobody pays for a task of its own."""

    __slots__ = ("_waiters", "deadline", "is_late", "task")

    def __init__(self, task: "asyncio.Task[Any] | None", deadline: float) -> None:
        self.task = task
        self.deadline = deadline
        self.is_late = False
        """Its leader was cancelled by `expire`, not by whoever called it."""
        self._waiters: list[asyncio.Future[Any]] | None = None

    def join(self) -> "asyncio.Future[Any]":
        """What the leader gets; None where it left before: then somebody else has to ask."""
        future = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(future)
        return future

    def land(self, found: Any) -> None:
        for future in self._waiters or ():
            if not future.done():
                future.set_result(found)

    def fail(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.land(None)  # the leader's caller left, which is nothing to its followers
            return
        for future in self._waiters or ():
            if not future.done():
                # As a value: an exception of a waiter that is just being cancelled has no reader.
                future.set_result(Failed(_twin(error)))

    def told(self, error: BaseException, after_s: float) -> BaseException:
        """The error to tell: that time ran out, where that is why the leader was cancelled."""
        if not self.is_late or not isinstance(error, asyncio.CancelledError):
            return error
        if self.task is not None and self.task.uncancel():
            return error  # its caller cancelled it as well
        return TimeoutError(f"nothing came within {after_s:g} s")


class Failed:
    """What the leader raised, to be raised by each follower."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Asked:
    """A question to the node, by whomever: one that is asked again before the answer may be joined
    to it further down, and is then as old as the first.
    """

    __slots__ = ("asked_at", "count", "created_ms", "epoch")

    def __init__(self, asked_at: float, created_ms: int, epoch: str) -> None:
        self.asked_at = asked_at
        self.created_ms = created_ms
        self.epoch = epoch
        self.count = 0


class Flights:
    """By key. Not for two threads."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}
        self._parted: set[Flight] = set()

    def __len__(self) -> int:
        return len(self._flights)

    def get(self, key: bytes) -> Flight | None:
        return self._flights.get(key)

    def start(self, key: bytes, deadline: float) -> Flight:
        flight = self._flights[key] = Flight(asyncio.current_task(), deadline)
        return flight

    def start_alone(self, deadline: float) -> Flight:
        """One that nobody joins."""
        flight = Flight(asyncio.current_task(), deadline)
        self._parted.add(flight)
        return flight

    def end(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        else:
            self._parted.discard(flight)

    def part(self) -> None:
        """From now on nobody joins what is under way: what it brings may be out of date already."""
        self._parted.update(self._flights.values())
        self._flights = {}

    def expire(self, now: float) -> None:
        """Ends what nobody may wait for any longer."""
        for flight in (*self._flights.values(), *self._parted):
            if flight.deadline > now:
                continue
            if flight.task is not None and not flight.is_late:
                flight.is_late = True
                flight.task.cancel()


def _twin(error: BaseException) -> BaseException:
    """The same error for another waiter: one instance raised twice collects both tracebacks."""
    clone = getattr(error, "clone", None)
    return clone() if clone is not None else error
