"""Who that asks the same at the same time shares one answer: nobody, this process, or the fleet."""

from typing import Final, Protocol

from validation.cache.envelope import Payload
from validation.cache.flights import Flight, Flights
from validation.cache.l2 import L2, Slot
from validation.cache.marks import Mark


class Sharing(Protocol):
    """What is known is given out under each of them; this is of what is being asked for."""

    @property
    def name(self) -> str: ...

    def under_way(self, flights: Flights, key: bytes) -> Flight | None:
        """Whom a caller may join."""
        ...

    def start(self, flights: Flights, key: bytes, deadline: float) -> Flight:
        """The flight of a caller who joins nobody."""
        ...

    async def look(self, l2: L2, key: bytes) -> Payload | Mark | Slot | None:
        """What L2 has of it; None: nothing, and nobody needs to know that it is asked for."""
        ...

    async def lock(self, l2: L2, key: bytes) -> Mark | Slot:
        """Before what L2 has is renewed."""
        ...


class _WithoutMarks:
    """Of other processes only what they have stored is seen."""

    async def look(self, l2: L2, key: bytes) -> Payload | Mark | Slot | None:
        return await l2.read(key)

    async def lock(self, l2: L2, key: bytes) -> Mark | Slot:
        del l2, key
        return Slot.NONE


class Off(_WithoutMarks):
    """The baseline: each caller asks."""

    name: Final = "off"

    def under_way(self, flights: Flights, key: bytes) -> Flight | None:
        del flights, key
        return None

    def start(self, flights: Flights, key: bytes, deadline: float) -> Flight:
        del key
        return flights.start_alone(deadline)


class _Joining:
    """Callers of this process wait for the first of them."""

    def under_way(self, flights: Flights, key: bytes) -> Flight | None:
        return flights.get(key)

    def start(self, flights: Flights, key: bytes, deadline: float) -> Flight:
        return flights.start(key, deadline)


class OfProcess(_Joining, _WithoutMarks):
    name: Final = "process"


class OfFleet(_Joining):
    """One process of the fleet asks; the others see its mark in Valkey and wait."""

    name: Final = "fleet"

    async def look(self, l2: L2, key: bytes) -> Payload | Mark | Slot | None:
        return await l2.claim(key)

    async def lock(self, l2: L2, key: bytes) -> Mark | Slot:
        return await l2.lock(key)


SHARINGS: Final[dict[str, Sharing]] = {each.name: each for each in (Off(), OfProcess(), OfFleet())}
