"""A breaker around a whole call, in one line: async, sync, and as a decorator."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, overload

from validation.resilience.errors import CallTimedOut, Rejected, is_fault
from validation.resilience.machine import Machine
from validation.resilience.permits import Permit

type Fallback[T] = Callable[[Exception], T | Awaitable[T]]
"""Given the error; its answer is that of the call."""


class Calls(Machine):
    """What `Breaker` adds to its `admit` and `settle`. A fallback is asked where the breaker let
    nothing pass and where the call's error is a fault; an ignored error is the caller's to see.
    """

    __slots__ = ()

    async def call[T](self, fn: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Awaits `fn(*args)`. Raises `Rejected`, or what the call raised; being cancelled is no
        outcome. Options are `call_with`'s: looking for them costs a tenth of a good call.
        """
        clock = self._clock
        permit = self._pass
        started = clock()
        if permit is None:
            shut = self._shut
            if shut is not None and started < shut.until:
                shut.rejected += 1
                raise Rejected(self.name, shut.until - started, shut.is_forced)
            return await self._call_permitted(self._enter(started), started, fn, args)
        try:
            result = await fn(*args)
        except BaseException as error:
            now = clock()
            self._settle(permit, error, now - started, now)
            raise
        now = clock()
        duration_s = now - started
        if now < permit.ends and duration_s < permit.slow_s:  # as in `settle`, a call less
            permit.keep(duration_s)
        else:
            self._settle(permit, None, duration_s, now)
        return result

    async def call_with[T](
        self,
        fn: Callable[..., Awaitable[T]],
        *args: Any,
        timeout_s: float | None = None,
        fallback: Fallback[T] | None = None,
    ) -> T:
        """As `call`; raises `CallTimedOut` once `timeout_s` have passed."""
        asked = fn if timeout_s is None else functools.partial(self._timed, timeout_s, fn)
        try:
            return await self.call(asked, *args)
        except Exception as error:
            if fallback is None or not (isinstance(error, Rejected) or is_fault(error)):
                raise
            answer = fallback(error)
            return await answer if inspect.isawaitable(answer) else answer

    def call_sync[T](
        self,
        fn: Callable[..., T],
        *args: Any,
        fallback: Callable[[Exception], T] | None = None,
    ) -> T:
        """`fn(*args)`, from any thread. It cannot be timed out: a thread cannot be interrupted."""
        clock = self._clock
        try:
            started = clock()
            permit = self._pass or self._enter(started)
            try:
                result = fn(*args)
            except BaseException as error:
                now = clock()
                self._settle(permit, error, now - started, now)
                raise
            now = clock()
            if now < permit.ends and now - started < permit.slow_s:
                permit.keep(now - started)
            else:
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
        is_async = inspect.iscoroutinefunction(fn)
        call = self.call if is_async else self.call_sync

        @functools.wraps(fn)
        def asked(*args: Any, **kwargs: Any) -> Any:
            return call(functools.partial(fn, **kwargs) if kwargs else fn, *args)

        return inspect.markcoroutinefunction(asked) if is_async else asked

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
