"""Keeps a process in step with the others: connects, follows the table of purges, writes its own.

All of it runs beside the path of an item: whoever asks the cache sees a wire that is ready, or
none.
"""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

import structlog

from validation.cache.config import CacheConfig
from validation.cache.errors import CacheError
from validation.cache.scripts import raise_purges, tidy_purges
from validation.cache.tags import ALL, EPOCH, KEEP_MS, MAX_TAGS, REV, TagTable, field_of
from validation.cache.valkey import Address, Gate, ValkeyRefused, Wire, command, dial, is_forced
from validation.resilience import Rejected

TABLE: Final = b"switchyard:cache:tags"
_PURGES_KEPT: Final = 1000
_TIDY_ABOVE: Final = 1000
_NEVER: Final = float("-inf")

_log = structlog.get_logger(__name__)
_ASK_TIME: Final = command("TIME")
_ASK_HEAD: Final = command("HMGET", TABLE, EPOCH, REV)
_ASK_TABLE: Final = command("HGETALL", TABLE)
_ASK_SIZE: Final = command("HLEN", TABLE)
_PING: Final = command("PING")
_REMOVE: Final = command("DEL", TABLE)


class Breaker(Gate, Protocol):
    """The breaker of L2, as far as the way back is concerned."""

    def hint_recovered(self) -> None: ...


class Purge(NamedTuple):
    """A purge that the table does not have yet."""

    tag: str
    age_s: float
    wanted_at: float


class Backplane:
    """`purged` is called with each batch of tags that the table brought: drop them."""

    def __init__(
        self,
        config: CacheConfig,
        table: TagTable,
        breaker: Breaker,
        *,
        purged: Callable[[list[str]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._address = Address.parse(config.url)
        self._table = table
        self._breaker = breaker
        self._purged = purged
        self._clock = clock
        self._wire: Wire | None = None
        self._read_at = _NEVER
        self._told: deque[Purge] = deque()
        self._said = ""

    @property
    def wire(self) -> Wire | None:
        """What commands may go out on now: its server's table was read since it was connected,
        and not so long ago that purges may have been missed.
        """
        wire = self._wire
        if wire is None or not wire.is_open:
            return None
        return wire if self._clock() - self._read_at < self._config.blind_s else None

    def tell(self, purge: Purge) -> None:
        """To be written into the table at the next tick, or whenever the server is back."""
        if len(self._told) >= _PURGES_KEPT:
            self._told.clear()
            purge = Purge(ALL, 0.0, purge.wanted_at)
        self._told.append(purge)

    async def tick(self) -> None:
        """One look at the server. Never raises for what the server does."""
        try:
            await self._look()
        except Exception as error:  # noqa: BLE001 - a server answers in any shape; we look again
            if is_forced(self._breaker):  # since the look began
                self.close()
            else:
                self._drop(error)
        else:
            self._said = ""

    async def aclose(self) -> None:
        """Ends the connection once what was told has been heard."""
        wire = self.wire
        if wire is not None:
            with contextlib.suppress(CacheError):
                await wire.probe(_PING)
        self.close()

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close("the cache is closed")
        self._wire, self._read_at = None, _NEVER

    async def _look(self) -> None:
        started = self._clock()
        try:
            permit = self._breaker.admit()
        except Rejected as rejected:
            if rejected.forced:
                self.close()  # and what is missed meanwhile is caught up with when it may return
                return
            await self._follow()  # a probe of our own, since nobody else can find out
            self._breaker.hint_recovered()
            return
        try:
            await self._follow()
        except Exception as error:
            blamed = error if isinstance(error, CacheError) else _Unreachable(str(error))
            self._breaker.settle(permit, error=blamed, duration_s=self._clock() - started)
            raise
        except BaseException:
            permit.cancel()
            raise
        self._breaker.settle(permit, duration_s=self._clock() - started)

    async def _follow(self) -> None:
        wire = self._wire
        if wire is None or not wire.is_open:
            self._read_at = _NEVER
            config = self._config
            wire = self._wire = await dial(
                self._address, self._breaker, timeout_s=config.reply_s, connect_s=config.connect_s
            )
        asked_at = self._clock()
        await self._catch_up(wire)
        if self._told:
            await self._write(wire)
        self._read_at = asked_at

    async def _catch_up(self, wire: Wire) -> None:
        table, asked_at = self._table, self._clock()
        clock: Any
        head: Any
        clock, head = await asyncio.gather(
            wire.probe(_ASK_TIME), wire.probe(_ASK_HEAD), return_exceptions=True
        )
        if isinstance(clock, BaseException):
            raise clock
        if isinstance(head, BaseException):
            if not _is_wrong_type(head):
                raise head
            head = (b"?", b"?")
        (seconds, micros), (epoch, rev) = clock, head
        server_ms = int(seconds) * 1000 + int(micros) / 1000
        table.heard_clock(server_ms, asked_at=asked_at, heard_at=self._clock())
        is_same = (epoch or b"").decode("ascii", "replace") == table.epoch
        if is_same and _int(rev) == table.rev:
            return
        self._take(await self._read(wire, least=table.rev if is_same else 0))

    async def _read(self, wire: Wire, *, least: int) -> dict[bytes, bytes]:
        """The whole table; a new one where there is none, something else in its place, or an older
        one than was seen before: the server was restored, and purges may be missing.
        """
        try:
            fields = await self._fields(wire, least)
        except (ValkeyRefused, ValueError) as exc:
            if isinstance(exc, ValkeyRefused) and not _is_wrong_type(exc):
                raise
            _log.warning("cache.table_refused", reason=str(exc), server=self._address.label)
            await wire.probe(_REMOVE)
            fields = {}
        if not fields.get(EPOCH):
            await wire.probe(command("HSETNX", TABLE, EPOCH, secrets.token_hex(8)))
            fields = _paired(await wire.probe(_ASK_TABLE))
        return fields

    async def _fields(self, wire: Wire, least: int) -> dict[bytes, bytes]:
        """ValueError where it is no table of purges, or one that nobody could have made."""
        size = await wire.probe(_ASK_SIZE)
        if size > MAX_TAGS:
            raise ValueError(f"the table of purges holds {size} tags")
        fields = _paired(await wire.probe(_ASK_TABLE))
        found = TagTable()
        found.replace(fields)
        if fields and found.rev < least:
            raise ValueError(f"the table of purges is at {found.rev} and was at {least}")
        return fields

    def _take(self, fields: dict[bytes, bytes]) -> None:
        table = self._table
        had = table.epoch
        found = table.replace(fields)
        if found:
            self._purged(found)
        if had and had != table.epoch:
            _log.warning("cache.new_epoch", server=self._address.label)

    async def _write(self, wire: Wire) -> None:
        """Puts what was purged here into the table, where it holds no later purge. Another process
        may have done the same: that changes nothing.
        """
        table, told, now = self._table, list(self._told), self._clock()
        latest = table.latest_ms()
        purges = [
            (field_of(tag), max(0, latest - int((age_s + now - wanted_at) * 1000)))
            for tag, age_s, wanted_at in told
        ]
        await wire.probe(raise_purges(TABLE, purges))
        if len(table) > _TIDY_ABOVE and (old := table.outlived()):
            fields = map(field_of, old)
            await wire.probe(tidy_purges(TABLE, fields, before_ms=latest - KEEP_MS))
        for purge in told:
            if self._told and self._told[0] is purge:
                self._told.popleft()

    def _drop(self, error: Exception) -> None:
        self.close()
        if self._said != str(error):  # four times a second would drown what matters
            self._said = str(error)
            _log.warning("cache.unreachable", server=self._address.label, reason=str(error))


class _Unreachable(CacheError):
    """No connection to the cache server."""

    trips_breaker = True


def _is_wrong_type(refused: BaseException) -> bool:
    return isinstance(refused, ValkeyRefused) and str(refused).startswith("WRONGTYPE")


def _paired(pairs: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def _int(text: bytes | None) -> int:
    try:
        return int(text or b"0")
    except ValueError:
        return -2
