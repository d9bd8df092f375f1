"""Both tiers as one: get what is known, or have it asked for once, by one process of the fleet."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from validation.cache.backplane import Backplane, Breaker, Purge
from validation.cache.bounds import Bounds
from validation.cache.config import CacheConfig
from validation.cache.counts import Counts
from validation.cache.curve import MissRatioCurve
from validation.cache.entry import Entry
from validation.cache.envelope import Payload
from validation.cache.flights import Asked, Failed, Flights
from validation.cache.hits import Decode, Factory, Hit, Made, Want
from validation.cache.hot import HotKeys
from validation.cache.keeping import entry_of, payload_of
from validation.cache.keys import L2_ONLY
from validation.cache.l1 import L1
from validation.cache.l2 import L2, Slot
from validation.cache.marks import Mark
from validation.cache.renewals import Renewals
from validation.cache.sharing import SHARINGS, Sharing
from validation.cache.tags import ALL, TagTable
from validation.cache.valkey import Wire
from validation.cache.variants import Variants
from validation.cache.warming import WARMINGS, Warming

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.05
_RENEW_AGAIN_S: Final = 1.0
_POINTS_S: Final = 1.0
_SAMPLED: Final = 15
"""One hit of sixteen tells what is hot."""


class TieredCache:
    """Belongs to one event loop. Without Valkey it is L1 and the factory: what it raises are the
    factory's errors, and TimeoutError after `hard_s`, never errors of its own.

    `tick` does what is due beside the path of an item: have it called every `poll_s`.
    """

    def __init__(
        self,
        config: CacheConfig,
        *,
        breaker: Breaker,
        l1: L1 | None = None,
        orphaned: Callable[[str], bool] = lambda _hash: False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.l1 = L1(config.l1, clock=clock) if l1 is None else l1
        self.l1_ttl_s = config.l1_ttl_s
        self.bounds = Bounds(self.l1, config.l1)
        self.sharing: Sharing = SHARINGS["fleet"]
        self.warming: Warming = WARMINGS["on"]
        self.fill: Callable[[], None] | None = None
        """Has L1 filled by `warming` soon, where somebody knows what with."""
        self.table = TagTable(clock=clock, wall=wall)
        self.counts = Counts()
        self._kinds = self.counts.kinds
        self.hot = HotKeys(config.warm_keys)
        self.l2: L2 | None = None
        self._clock = clock
        self.curve = MissRatioCurve(lookups=self.counts.lookups)
        self._touch = self.curve.touch
        self.points: tuple[tuple[int, float], ...] = ()
        """Of the curve, a second old at most. For any thread."""
        self._next_points = 0.0
        self._flights = Flights()
        self._asking: dict[bytes, Asked] = {}
        self.part_below: Callable[[], None] | None = None
        """What has the factories ask anew, where somebody below shares questions under way."""
        self._renewals = Renewals(config.max_refreshes)
        self._backplane: Backplane | None = None
        if config.url:
            plane = Backplane(config, self.table, breaker, purged=self._drop_tags, clock=clock)
            self._backplane = plane
            self.l2 = L2(
                plane,
                self.table,
                key=config.key,
                codec=config.codec,
                claim_s=config.claim_s,
                orphaned=orphaned,
                clock=clock,
            )
        self.variants = Variants(self)

    @property
    def wire(self) -> Wire | None:
        """The connection to Valkey; None where it cannot be asked now."""
        return self._backplane.wire if self._backplane is not None else None

    def peek(self, key: bytes, kind: str) -> Hit | None:
        """What L1 has, where nothing is to be done about it."""
        return found if type(found := self.look(key, kind)) is Hit else None

    async def get_or_set(
        self, key: bytes, kind: str, factory: Factory, decode: Decode, *, fresh: bool = False
    ) -> Hit:
        """What is known of `key`, or what `factory` brings. `fresh`: what it brings in any case,
        in place of whatever is known.
        """
        known = None if fresh else self.look(key, kind)
        if isinstance(known, Hit):
            return known
        return await self.find(key, kind, factory, decode, known, fresh=fresh)

    async def find(
        self,
        key: bytes,
        kind: str,
        factory: Factory,
        decode: Decode,
        known: Entry | None,
        *,
        fresh: bool = False,
    ) -> Hit:
        """As `get_or_set`, where `look` has just answered `known`, which is no hit."""
        if fresh:
            self._kinds[kind].miss += 1
            self.counts.untouched += 1
            return await self._make(key, factory, None, fresh=True)
        if type(known) is Entry:
            hit = await self._aging(Want(key, kind, decode), known, factory)
            if hit is not None:
                return hit
        else:
            self._touch(key)
        while True:
            flight = self.sharing.under_way(self._flights, key)
            if flight is None:
                return await self._lead(Want(key, kind, decode), factory)
            found = await flight.join()
            if found is not None:
                return self._shared(kind, found)

    async def get_many(self, wants: Sequence[Want], *, counted: bool = True) -> list[Hit | None]:
        """What is known of each, in one round trip; nothing is asked for. Not `counted`: only what
        L1 lacks, which is nobody's look-up.
        """
        if not counted:
            wants = [want for want in wants if want.key not in self.l1]
        found = [self.peek(want.key, want.kind) if counted else None for want in wants]
        missing = [wants[place] for place, hit in enumerate(found) if hit is None]
        if missing and self.l2 is not None:
            payloads = await self.l2.read_many([want.key for want in missing])
            hits = (
                self._adopt(want, payload, counted=counted) if payload is not None else None
                for want, payload in zip(missing, payloads, strict=True)
            )
            found = [next(hits) if hit is None else hit for hit in found]
            if counted:
                answered = sum(hit is not None and hit.source == "l2" for hit in found)
                self.counts.untouched += answered
        return found

    def drop(self, key: bytes) -> None:
        """Forgets one key, here and in Valkey."""
        self.l1.drop(key)
        if self.l2 is not None:
            self.l2.drop(key)

    def purge(self, *tags: str, age_s: float = 0.0) -> None:
        """Drops what bears one of the tags and is older than `age_s`: here at once, in every other
        process as soon as it looks, and in Valkey as soon as it is there.
        """
        at_ms = self.table.latest_ms() - int(age_s * 1000)
        for tag in tags:
            self.table.purge(tag, at_ms)
            if self._backplane is not None:
                self._backplane.tell(Purge(tag, age_s, self._clock()))
        self._drop_tags(list(tags))

    async def tick(self) -> None:
        if self._backplane is not None:
            await self._backplane.tick()
        if self.l2 is not None:
            self.l2.tick()
        self.l1.tick()
        now = self._clock()
        self._flights.expire(now)
        self.tell()
        if now >= self._next_points:  # here, and not where it is reported: it is the loop's
            self._next_points = now + _POINTS_S
            self.points = tuple(self.curve.points())

    def tell(self) -> None:
        """Brings the metrics up to date."""
        self.counts.tell(self.l2)

    async def aclose(self) -> None:
        """Ends what goes on behind callers' backs, and the connection."""
        await self._renewals.aclose()
        if self.l2 is not None:
            self.l2.write_out()
        if self._backplane is not None:
            await self._backplane.aclose()
        self.tell()

    def _drop_tags(self, tags: list[str]) -> None:
        if ALL in tags:
            self.counts.invalidated += self.l1.clear()
        else:
            self.counts.invalidated += sum(map(self.l1.drop_tag, tags))
        self._flights.part()
        if self.part_below is not None:
            self.part_below()
            self._asking = {}  # whoever asks from here on does not join them
        if self.l2 is not None:
            self.l2.part()

    def look(self, key: bytes, kind: str) -> Hit | Entry | None:
        """A hit; or an entry that is to be renewed, not counted yet. Nothing here is called twice:
        it is most of what a hit costs.
        """
        entry = self.l1.get(key)
        if entry is None:
            return None
        now = self._clock()
        if now >= entry.refresh_at:
            return entry
        self._touch(key)
        counts = self._kinds[kind]
        if entry.negative:
            counts.negative += 1
        else:
            counts.l1 = hits = counts.l1 + 1
            if not hits & _SAMPLED:
                self.hot.note(key)
        return Hit(entry.value, (), entry.node, "l1", now - entry.asked_at)

    async def _aging(self, want: Want, entry: Entry, factory: Factory) -> Hit | None:
        """An answer that is to be renewed: still fresh, or stale and within its bound."""
        self._touch(want.key)
        renewal = self._renew(want, factory, entry.created)
        now = self._clock()
        if renewal is not None:
            entry.refresh_at = now + _RENEW_AGAIN_S
        is_stale = now >= entry.stale_at
        if is_stale and renewal is not None and self.config.soft_s:
            done, _ = await asyncio.wait({renewal}, timeout=self.config.soft_s)
            renewed = renewal.result() if done and not renewal.cancelled() else None
            if renewed is not None:
                return self._shared(want.kind, renewed)
            now = self._clock()
        if now >= entry.expires_at:
            return None
        counts = self._kinds[want.kind]
        counts.stale += is_stale
        counts.l1 += not is_stale
        return Hit(entry.value, (), entry.node, "l1", now - entry.asked_at)

    def _renew(
        self, want: Want, factory: Factory, created: float
    ) -> "asyncio.Task[Hit | None] | None":
        return self._renewals.start(want.key, lambda: self._renewed(want, factory, created))

    async def _renewed(self, want: Want, factory: Factory, created: float) -> Hit | None:
        """What another process has renewed meanwhile, or else what the factory brings; None where
        another process is at it.
        """
        mark, l2 = None, self.l2
        if l2 is not None and l2.is_ready:
            payload = await l2.read(want.key)
            if payload is not None and payload.created_ms > created:
                return self._adopt(want, payload, counted=False)
            found = await self.sharing.lock(l2, want.key)
            if found is Slot.OTHERS:
                return None
            mark = found if isinstance(found, Mark) else None
        self.counts.renewed += 1
        return await self._make(want.key, factory, mark)

    def _shared(self, kind: str, found: Hit | Failed) -> Hit:
        """What somebody else got, to be counted as if one had got it oneself."""
        self.counts.coalesced += 1
        if isinstance(found, Hit) and found.source == "l2":
            self._kinds[kind].l2 += 1
            return found
        self._kinds[kind].miss += 1
        if isinstance(found, Failed):
            raise found.error
        return found

    async def _lead(self, want: Want, factory: Factory) -> Hit:
        until = self._clock() + self.config.hard_s
        flight = self.sharing.start(self._flights, want.key, until)
        try:
            hit = await self._find(want, factory)
        except BaseException as error:
            told = flight.told(error, self.config.hard_s)
            flight.fail(told)
            if told is error:
                raise
            raise told from None
        else:
            flight.land(hit)
            return hit
        finally:
            self._flights.end(want.key, flight)

    async def _find(self, want: Want, factory: Factory) -> Hit:
        """L2, or another process that asks already, or the factory."""
        mark, l2 = None, self.l2
        if l2 is not None:
            found = await self.sharing.look(l2, want.key)
            if found is Slot.OTHERS:
                found = await self._wait(l2, want.key)
            if type(found) is Mark:
                mark = found
            elif type(found) is Payload:
                hit = self._adopt(want, found)
                if hit is not None:
                    if found.stale_ms <= self.table.now_ms():
                        self._renew(want, factory, found.created_ms)
                    return hit
        self._kinds[want.kind].miss += 1
        return await self._make(want.key, factory, mark)

    async def _wait(self, l2: L2, key: bytes) -> Payload | Mark | Slot:
        """Another process is asking: what it brings, or leave to ask oneself."""
        until, pause = self._clock() + self.config.wait_s, _FIRST_PAUSE_S
        while self._clock() < until:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            found = await l2.claim(key)
            if found is not Slot.OTHERS:
                self.counts.coalesced += isinstance(found, Payload)
                return found
        return Slot.NONE

    async def _make(
        self, key: bytes, factory: Factory, mark: Mark | None, *, fresh: bool = False
    ) -> Hit:
        """Asks, and keeps what comes where it may be kept. Times count from before the question."""
        asked = self._asking.get(key)
        if asked is None:
            asked = Asked(self._clock(), self.table.now_ms(), self.table.epoch)
            self._asking[key] = asked
        asked.count += 1
        try:
            made = await factory()
            self._keep(key, made, mark, asked, fresh=fresh)
        except BaseException:
            if self.l2 is not None:
                self.l2.release(mark)
            raise
        finally:
            asked.count -= 1
            if not asked.count and self._asking.get(key) is asked:
                del self._asking[key]
        return Hit(made.values, made.raws, made.node, "node", 0.0, made.timing)

    def _keep(
        self, key: bytes, made: Made, mark: Mark | None, asked: Asked, *, fresh: bool
    ) -> None:
        payload = payload_of(made, asked)
        # What was purged while it was asked for is out of date already; and a table that began
        # anew meanwhile may have lost that purge.
        if payload is not None and asked.epoch == self.table.epoch and self._is_valid(payload):
            self._put(key, made.values, payload, asked.asked_at)
            if self.l2 is not None and made.lifetime is not None:
                home_ms = int(made.lifetime.home_s * 1000)
                self.l2.store(key, payload, mark=mark, home_ms=home_ms)
            return
        if fresh:
            self.drop(key)
        if self.l2 is not None:
            self.l2.release(mark)

    def _adopt(self, want: Want, payload: Payload, *, counted: bool = True) -> Hit | None:
        """Takes over what L2 had; None where it cannot be read, or was purged meanwhile."""
        if not self._is_valid(payload):
            return None
        try:
            values = want.decode(payload.raws)
        except Exception:  # noqa: BLE001 - the caller's decoder, fed by what another version wrote
            if self.l2 is not None:
                self.l2.corrupt += 1
            return None
        asked_at = self.table.local(payload.created_ms)
        entry = self._put(want.key, values, payload, asked_at)
        now = self._clock()
        if counted and self.counts.answered_by_l2(want.kind, entry, now) & _SAMPLED == 0:
            self.hot.note(want.key)
        return Hit(values, payload.raws, payload.node, "l2", max(0.0, now - asked_at))

    def _is_valid(self, payload: Payload) -> bool:
        return self.table.is_valid(payload.created_ms, payload.tags)

    def _put(self, key: bytes, values: Any, payload: Payload, asked_at: float) -> Entry:
        eager, ttl_s = self.config.eager, self.l1_ttl_s
        entry = entry_of(values, payload, asked_at, self._clock(), eager=eager, ttl_s=ttl_s)
        if L2_ONLY.isdisjoint(payload.tags):
            self.l1.put(key, entry)
        return entry
