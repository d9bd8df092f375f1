"""Sizes that fit, and numbers that cannot."""

import pytest

from console.pgbouncer import Fleet, Mode, Room, Unfit, fit
from console.pgbouncer.sizes import CLIENTS_A_SERVER, DIRECT, needed

FLEET = Fleet(workers=4, web=1, pool=8)
ROOM = Room(max_connections=100, reserved=3)


@pytest.mark.parametrize("mode", Mode)
def test_a_small_fleet_gets_a_connection_for_each_client(mode: Mode) -> None:
    sizes = fit(FLEET, ROOM, mode)
    assert sizes.pool == FLEET.clients == 2 * 4 + (8 + 4) + 5 + 4
    assert sizes.clients >= 2 * FLEET.clients


def test_a_large_fleet_shares_what_postgres_grants() -> None:
    fleet = Fleet(workers=64, web=4, pool=20)
    sizes = fit(fleet, ROOM, Mode.TRANSACTION)
    assert fleet.clients > sizes.pool == 100 - 3 - DIRECT


def test_sessions_are_refused_where_postgres_grants_fewer_than_there_are_clients() -> None:
    fleet = Fleet(workers=64, web=4, pool=20)
    with pytest.raises(Unfit) as refused:
        fit(fleet, ROOM, Mode.SESSION)
    said = str(refused.value)
    assert f"opens {fleet.clients} connections" in said
    assert "max_connections=100 leaves 92" in said
    assert f"Set max_connections to {fleet.clients + 3 + DIRECT} or more" in said
    assert "--mode transaction" in said


# The sources' own: 768 connections before 100, and 2 000 before 200.
@pytest.mark.parametrize(
    ("web", "pool", "max_connections"), [(3, 256, 100), (8, 250, 200)], ids=["768:100", "2000:200"]
)
def test_the_gaps_of_the_sources_are_refused(web: int, pool: int, max_connections: int) -> None:
    fleet = Fleet(workers=0, web=web, pool=pool)
    room = Room(max_connections=max_connections, reserved=3)
    with pytest.raises(Unfit, match="wait for each other") as refused:
        fit(fleet, room, Mode.TRANSACTION)
    assert "(--mode transaction)" not in str(refused.value)


def test_what_a_refusal_names_is_enough_and_no_more() -> None:
    fleet = Fleet(workers=200, web=2, pool=8)
    least = needed(fleet.clients, Mode.TRANSACTION)
    enough = Room(max_connections=least + 3 + DIRECT, reserved=3)
    assert fit(fleet, enough, Mode.TRANSACTION).pool == least
    assert least * CLIENTS_A_SERVER >= fleet.clients
    with pytest.raises(Unfit):
        fit(fleet, Room(max_connections=least + 2 + DIRECT, reserved=3), Mode.TRANSACTION)


def test_a_server_that_reserves_all_lends_nothing() -> None:
    assert Room(max_connections=5, reserved=4).free == 0
    with pytest.raises(Unfit, match="leaves 0"):
        fit(Fleet(workers=1, web=0, pool=1), Room(max_connections=5, reserved=4), Mode.TRANSACTION)
