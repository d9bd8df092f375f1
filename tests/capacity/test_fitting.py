"""What `pgbouncer_ini` writes is what the limits are judged by: of its sizes none is broken."""

import pytest

from console.capacity.inputs import Bouncer, Lent, Pool, Postgres, changed
from console.capacity.judging import judge
from console.capacity.limit import Limit
from console.pgbouncer import Beside, Fleet, Mode, Room, Sizes, Unfit, fit
from tests.capacity.numbers import numbers

FLEETS = [
    Fleet(workers=4, web=1, pool=8),
    Fleet(workers=64, web=4, pool=20, beside=Beside.of(replicas=True, destinations=3)),
    Fleet(workers=1, web=0, pool=1),
    Fleet(workers=300, web=10, pool=8, beside=Beside.of(destinations=1)),
]
ROOMS = [
    Room(max_connections=granted, reserved=3, foreign=foreign)
    for granted in (100, 1000)
    for foreign in (0, 40)
]


def judged(fleet: Fleet, room: Room, sizes: Sizes) -> tuple[Limit, ...]:
    lent = Lent(pool=sizes.pool, most=sizes.pool)
    files = sizes.descriptors
    inputs = numbers(
        declared=max(1, fleet.workers), workers=fleet.workers, up=fleet.workers,
        pools=(Pool(processes=fleet.web, size=fleet.pool),), beside=fleet.beside, threads=None,
        bouncer=Bouncer(clients=sizes.clients, lent=(lent,), mode=sizes.mode, files=files,
                        query_wait_s=2.0),
        postgres=Postgres(
            max_connections=room.max_connections, reserved=room.reserved, foreign=room.foreign
        ),
        nodes=None, memory=None,
    )  # fmt: skip
    assert inputs.clients == fleet.clients
    return judge(inputs)


@pytest.mark.parametrize("mode", Mode)
def test_what_fits_breaks_nothing(mode: Mode) -> None:
    fitting = 0
    for fleet in FLEETS:
        for room in ROOMS:
            try:
                sizes = fit(fleet, room, mode)
            except Unfit:
                continue
            fitting += 1
            found = judged(fleet, room, sizes)
            assert {one.key for one in found if one.holds is not True} == set(), (fleet, room)
    assert fitting >= len(FLEETS)


@pytest.mark.parametrize("mode", Mode)
def test_one_connection_fewer_than_the_least_is_broken(mode: Mode) -> None:
    """By the same sum that refuses to write the file."""
    fleet = FLEETS[1]
    with pytest.raises(Unfit):
        fit(fleet, Room(max_connections=90 if mode == Mode.SESSION else 60, reserved=3), mode)
    room = Room(max_connections=1000, reserved=3)
    least = fleet.clients if mode == Mode.SESSION else -(-fleet.clients // 4)
    sizes = Sizes(mode=mode, pool=least - 1, clients=2 * fleet.clients)
    broken = {one.key: one.fix for one in judged(fleet, room, sizes) if one.holds is False}
    assert broken == {
        "pgbouncer.servers": f"default_pool_size = {least}\nmax_db_connections = {least}"
    }


def test_a_replica_and_each_destination_count() -> None:
    plain = numbers()
    more = changed(plain, beside=Beside.of(replicas=True, destinations=3))
    assert (plain.clients, more.clients) == (41, 41 + 2 * 1 + 3)
