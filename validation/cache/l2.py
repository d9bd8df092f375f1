"""L2: what the fleet still knows, in Valkey, and who of the fleet asks a node for what it does not.

A key holds an envelope, or the mark of the process that is asking, or is absent. Data of a block
that is not final lies at a home that names the block's hash; its key holds a pointer there.
Nothing here raises for what the server does or holds: it is a miss then.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum
from typing import Final

from msgspec.structs import replace

from validation.cache.backplane import Backplane
from validation.cache.codec import BY_TAG, CODECS
from validation.cache.envelope import Payload, open_, seal
from validation.cache.errors import CacheError, ForeignPayload
from validation.cache.keys import home_of
from validation.cache.marks import TOKEN_BYTES, Mark, Marks, is_token
from validation.cache.tags import TagTable
from validation.cache.valkey import ValkeyRefused, Wire, command

_LOCK: Final = b"#"
_CODEC_AT: Final = 3
_SLACK_MS: Final = 1000
_SEALED_AT_ONCE: Final = 64


class Slot(Enum):
    """What a claim comes to where neither an answer nor a mark of one's own is there."""

    OTHERS = "others"
    """Another process is asking."""
    NONE = "none"
    """The server cannot be asked."""


class L2:
    """`orphaned` tells whether a block is known to have been reorganised away."""

    def __init__(
        self,
        backplane: Backplane,
        table: TagTable,
        *,
        key: bytes,
        codec: str,
        claim_s: float,
        orphaned: Callable[[str], bool] = lambda _hash: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backplane = backplane
        self._table = table
        self._key = key
        self._clock = clock
        self._unsealed: deque[tuple[bytes, Payload, Mark | None, int]] = deque()
        self._marks = Marks(claim_s=claim_s)
        self._claim_ms = round(claim_s * 1000)
        self._claim_tail = b"$2\r\nNX\r\n$3\r\nGET\r\n$2\r\nPX\r\n$%d\r\n%d\r\n" % (
            len(str(self._claim_ms)),
            self._claim_ms,
        )
        self._orphaned = orphaned
        self.codec = codec
        self.threshold = 0
        """Bytes below which a body is stored as it is; 0: as the codec says."""
        self.codecs: Counter[str] = Counter()
        self.bytes_raw = self.bytes_stored = 0
        self.corrupt = self.errors = self.skipped = 0

    @property
    def is_ready(self) -> bool:
        return self._backplane.wire is not None

    async def claim(self, key: bytes) -> Payload | Mark | Slot:
        """What is there; where nothing is, the mark of who asks for it. One round trip, unless what
        lies there does not count or is a pointer.
        """
        wire = self._backplane.wire
        if wire is None:
            self.skipped += 1
            return Slot.NONE
        mark = self._marks.make(key)
        try:
            found = await wire.ask(
                b"*7\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b"
                % (len(key), key, TOKEN_BYTES, mark.token, self._claim_tail)
            )
            if found is None:
                return self._marks.hold(mark, self._clock())
            if is_token(found):
                return Slot.OTHERS
            payload = await self._follow(wire, key, found)
        except asyncio.CancelledError:
            self._take_away(mark)  # it may be there by now, and nobody would
            raise
        except ValkeyRefused:  # something is there that is no text
            payload = None
        except CacheError:
            self.errors += 1
            return Slot.NONE
        return await self.lock(key) if payload is None else payload

    async def read(self, key: bytes) -> Payload | None:
        """What is there, without claiming it."""
        (found,) = await self.read_many([key])
        return found

    async def read_many(self, keys: list[bytes]) -> list[Payload | None]:
        """As `read`, in one command for all (and one for all pointers among what it brings)."""
        wire = self._backplane.wire
        if wire is None:
            self.skipped += len(keys)
            return [None] * len(keys)
        try:
            values = await wire.ask(command("MGET", *keys))
            found = [self._open(key, value) for key, value in zip(keys, values, strict=True)]
            pointers = [
                (place, home_of(keys[place], payload.block_hash))
                for place, payload in enumerate(found)
                if payload is not None and not payload.raws and payload.block_hash
            ]
            if pointers:
                values = await wire.ask(command("MGET", *[name for _, name in pointers]))
                for (place, name), value in zip(pointers, values, strict=True):
                    found[place] = _bounded(found[place], self._open(name, value))
        except CacheError:
            self.errors += len(keys)
            return [None] * len(keys)
        return found

    async def lock(self, key: bytes) -> Mark | Slot:
        """Who renews what is there, or replaces what does not count: the mark lies beside it."""
        wire = self._backplane.wire
        if wire is None:
            return Slot.NONE
        mark = self._marks.make(key + _LOCK)
        try:
            taken = await wire.ask(
                command("SET", mark.name, mark.token, "NX", "PX", self._claim_ms)
            )
        except asyncio.CancelledError:
            self._take_away(mark)
            raise
        except CacheError:
            self.errors += 1
            return Slot.NONE
        return Slot.OTHERS if taken is None else self._marks.hold(mark, self._clock())

    def store(
        self, key: bytes, payload: Payload, *, mark: Mark | None = None, home_ms: int = 0
    ) -> None:
        """Puts it there soon, in place of a mark: sealing takes its time, and whoever waits for
        answers that came meanwhile goes first. With `home_ms`, what it holds goes home for so long,
        and a pointer there. Where it cannot be stored the mark goes.
        """
        if not self._unsealed:
            asyncio.get_running_loop().call_soon(self.write_out, _SEALED_AT_ONCE)
        self._unsealed.append((key, payload, mark, home_ms))

    def write_out(self, limit: int | None = None) -> None:
        """Seals and sends what is to be stored; no more than `limit` before others get a turn."""
        unsealed = self._unsealed
        for _ in range(len(unsealed) if limit is None else min(limit, len(unsealed))):
            self._write(*unsealed.popleft())
        if unsealed:
            asyncio.get_running_loop().call_soon(self.write_out, _SEALED_AT_ONCE)

    def _write(self, key: bytes, payload: Payload, mark: Mark | None, home_ms: int) -> None:
        is_stored = False
        try:
            is_stored = self._store(key, payload, home_ms)
        except CacheError:
            self.errors += 1
        finally:
            if mark is not None and is_stored and mark.name == key:
                self._marks.forget(mark)
            else:
                self.release(mark)

    def release(self, mark: Mark | None) -> None:
        """Takes the mark away: whoever waits may ask."""
        if mark is not None and self._marks.forget(mark):
            self._take_away(mark)

    def part(self) -> None:
        """Takes all marks away: nobody shall wait for what was asked before a purge."""
        self._take_away(*self._marks.forget_all())

    def tick(self) -> None:
        """Renews the marks of what is still asked for."""
        wire = self._backplane.wire
        if wire is not None and self._marks:
            try:
                self._marks.renew(wire, self._clock())
            except CacheError:
                self.errors += 1

    def drop(self, *keys: bytes) -> None:
        self.write_out()  # or it would be stored after it was dropped
        wire = self._backplane.wire
        if wire is not None:
            try:
                wire.tell(command("DEL", *keys))
            except CacheError:
                self.errors += 1

    def _take_away(self, *marks: Mark) -> None:
        wire = self._backplane.wire
        if wire is not None and marks:
            try:
                self._marks.take_away(wire, marks)
            except CacheError:
                self.errors += 1

    def _store(self, key: bytes, payload: Payload, home_ms: int) -> bool:
        wire = self._backplane.wire
        if wire is None or not self._table.epoch:
            return False
        if home_ms and payload.block_hash:
            until = payload.created_ms + home_ms
            data = replace(payload, stale_ms=until, expires_ms=until)
            if not self._put(wire, home_of(key, payload.block_hash), data):
                return False
            payload = replace(payload, raws=())
        return self._put(wire, key, payload)

    def _put(self, wire: Wire, name: bytes, payload: Payload) -> bool:
        left_ms = payload.expires_ms - self._table.now_ms()
        if left_ms <= 0:
            return False
        sealed = seal(payload, key=self._key, codec=self.codec, name=name, least=self.threshold)
        wire.tell(command("SET", name, sealed, "PX", left_ms))
        tag = sealed[_CODEC_AT]
        self.codecs[self.codec if tag == CODECS[self.codec].tag else BY_TAG[tag].name] += 1
        self.bytes_raw += sum(map(len, payload.raws))
        self.bytes_stored += len(sealed)
        return True

    async def _follow(self, wire: Wire, key: bytes, value: bytes) -> Payload | None:
        payload = self._open(key, value)
        if payload is None or payload.raws or not payload.block_hash:
            return payload
        name = home_of(key, payload.block_hash)
        return _bounded(payload, self._open(name, await wire.ask(command("GET", name))))

    def _open(self, name: bytes, value: bytes | None) -> Payload | None:
        """What counts of what lies there, if anything does."""
        if value is None or is_token(value):
            return None
        try:
            payload = open_(value, key=self._key, name=name)
        except ForeignPayload:
            # Another version's, while both are at work, is no damage.
            self.corrupt += value[:2] != b"SY"
            return None
        except CacheError:
            self.corrupt += 1
            return None
        table = self._table
        now = table.now_ms()
        counts = (
            payload.epoch == table.epoch
            and now < payload.expires_ms
            and payload.created_ms <= now + _SLACK_MS
            and table.is_valid(payload.created_ms, payload.tags)
            and not (payload.block_hash and self._orphaned(payload.block_hash))
        )
        return payload if counts else None


def _bounded(pointer: Payload | None, data: Payload | None) -> Payload | None:
    """What a pointer led to, believed no longer than the pointer."""
    if pointer is None or data is None or data.block_hash != pointer.block_hash:
        return None
    return replace(
        data,
        stale_ms=min(data.stale_ms, pointer.stale_ms),
        expires_ms=min(data.expires_ms, pointer.expires_ms),
    )
