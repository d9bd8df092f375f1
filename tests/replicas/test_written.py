"""Whoever wrote is known in all web processes, for a minute, and by nobody while Valkey is away."""

import secrets
from typing import Any

import pytest
import redis

from console.replicas.written import ALL, Written
from monitoring import valkey
from tests.replicas.clock import Clock


class Away:
    def __getattr__(self, _name: str) -> Any:
        raise redis.ConnectionError


@pytest.fixture
def person(services: object) -> int:
    return secrets.randbelow(10**9)


def test_who_did_not_write_may_read_anywhere(person: int) -> None:
    assert Written().needs(person) == 0


def test_another_process_knows(person: int) -> None:
    Written().note(person, 77)
    assert Written().needs(person) == 77
    assert Written().needs(person + 1) == 0


def test_the_later_one_holds(person: int) -> None:
    one, other = Written(), Written()
    one.note(person, 77)
    other.note(person, 99)
    assert one.needs(person) == other.needs(person) == 99


def test_after_a_minute_it_is_forgotten_on_both_sides(person: int, clock: Clock) -> None:
    written = Written(clock=clock)
    written.note(person, 77)
    key = f"switchyard:wrote:{person}"
    assert 0 < valkey.client().ttl(key) <= 60
    valkey.client().delete(key)
    assert written.needs(person) == 77
    clock.now += 61
    assert written.needs(person) == 0


def test_while_valkey_is_away_nobody_reads_from_replicas(person: int) -> None:
    written = Written(client=Away)
    written.note(person, 77)
    assert written.needs(person) == ALL
    assert written.needs(person + 1) == ALL


def test_what_is_no_number_is_trusted_by_nobody(person: int) -> None:
    valkey.client().set(f"switchyard:wrote:{person}", "0/16B", ex=60)
    assert Written().needs(person) == ALL
