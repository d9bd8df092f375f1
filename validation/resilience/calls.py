"""A breaker around a whole call, in one line: async, sync, and as a decorator."""

import asyncio
import functools
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast, overload

from validation.resilience.config import BreakerConfig
from validation.resilience.errors import CallTimedOut, Rejected
from validation.resilience.states import Closed, Permit
from validation.resilience.window import SAMPLES, Window

_MASK = SAMPLES - 1

type Fallback[T] = Callable[[Exception], T | Awaitable[T]]
"""Given the error; its answer is that of the call."""


def is_fault(error: BaseException) -> bool:
    """Whether the error speaks against what was called. It may say so itself (`trips_breaker`)."""
    return bool(getattr(error, "trips_breaker", isinstance(error, Exception)))


class Calls:
    """What `Breaker` adds to its `admit` and `settle`. A fallback is asked where the breaker let
    nothing pass and where the call's error is a fault; an ignored error is the caller's to see.
    """

    __slots__ = ()

    name: str
    _clock: Callable[[], float]
    _config: BreakerConfig
    _pass: Closed | None
    _quick: Closed | None
    _window: Window

    @abstractmethod
    def admit(self) -> Permit: ...

    @abstractmethod
    def _enter(self, now: float) -> Permit: ...

    @abstractmethod
    def _settle(
        self, permit: Permit, error: BaseException | None, duration_s: float, now: float
    ) -> None: ...

    async def call[T](
        self,
        fn: Callable[..., Awaitable[T]],
        *args: Any,
        timeout_s: float | None = None,
        fallback: Fallback[T] | None = None,
    ) -> T:
        """Awaits `fn(*args)`. Raises `Rejected`, `CallTimedOut`, or what the call raised; being
        cancelled is no outcome.
        """
        if timeout_s is not None or fallback is not None:
            return await self._call_with(fn, args, timeout_s, fallback)
        clock = self._clock
        permit = self._pass
        started = clock()
        if permit is None:
            return await self._call_permitted(self._enter(started), started, fn, args)
        try:
            result = await fn(*args)
        except BaseException as error:
            now = clock()
            self._settle(permit, error, now - started, now)
            raise
        now = clock()
        duration_s = now - started
        window = self._window
        if permit is self._quick and duration_s < self._config.slow_s and now < window.ends:
            window.good = good = window.good + 1  # as in `settle`, one call the less
            window.samples[good & _MASK] = duration_s
        else:
            self._settle(permit, None, duration_s, now)
        return result

    def call_sync[T](
        self,
        fn: Callable[..., T],
        *args: Any,
        fallback: Callable[[Exception], T] | None = None,
    ) -> T:
        """`fn(*args)`, from any thread. It cannot be timed out: a thread cannot be interrupted."""
        clock = self._clock
        try:
            permit = self.admit()
            started = clock()
            try:
                result = fn(*args)
            except BaseException as error:
                now = clock()
                self._settle(permit, error, now - started, now)
                raise
            now = clock()
            self._settle(permit, None, now - started, now)
        except Exception as error:
            if fallback is None or not (isinstance(error, Rejected) or is_fault(error)):
                raise
            return fallback(error)
        return result

    @overload
    def wrap[**P, T](
        self, fn: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def wrap[**P, T](self, fn: Callable[P, T]) -> Callable[P, T]: ...

    def wrap(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """As a decorator: `@breaker.wrap`, on a function of either colour."""
        if inspect.iscoroutinefunction(fn):

            @functools.wraps(fn)
            async def asked(*args: Any, **kwargs: Any) -> Any:
                return await self.call(functools.partial(fn, **kwargs) if kwargs else fn, *args)

            return asked

        @functools.wraps(fn)
        def called(*args: Any, **kwargs: Any) -> Any:
            return self.call_sync(functools.partial(fn, **kwargs) if kwargs else fn, *args)

        return called

    async def _call_with[T](
        self,
        fn: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        timeout_s: float | None,
        fallback: Fallback[T] | None,
    ) -> T:
        if timeout_s is not None:
            fn = functools.partial(self._timed, timeout_s, fn)
        try:
            started = self._clock()
            return await self._call_permitted(self._enter(started), started, fn, args)
        except Exception as error:
            if fallback is None or not (isinstance(error, Rejected) or is_fault(error)):
                raise
            answer = fallback(error)
            return await answer if inspect.isawaitable(answer) else cast(T, answer)

    async def _call_permitted[T](
        self,
        permit: Permit,
        started: float,
        fn: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
    ) -> T:
        clock = self._clock
        try:
            result = await fn(*args)
        except BaseException as error:
            now = clock()
            self._settle(permit, error, now - started, now)
            raise
        now = clock()
        self._settle(permit, None, now - started, now)
        return result

    async def _timed[T](self, timeout_s: float, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await fn(*args)
        except TimeoutError as error:
            if limit.expired():
                told = f"{self.name}: no answer within {timeout_s:g} s"
                raise CallTimedOut(told) from error
            raise
