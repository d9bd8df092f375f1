"""Shares by weight, the nearest, or none: one chooser a variant of the flag."""

import random
from collections import Counter

import pytest

from console.database import ReplicaUrl
from console.flags.catalogue import BY_KEY, REPLICA_ROUTING
from console.replicas.choosing import CHOICES
from console.replicas.watch import Watched


def one(label: str, weight: int, round_trip_ms: float | None = 1.0) -> Watched:
    watched = Watched(ReplicaUrl(label=label, url="postgresql:///x", weight=weight))
    watched.round_trip_ms = round_trip_ms
    return watched


def shares(variant: str, *replicas: Watched, of: int = 10_000) -> Counter[str]:
    random.seed(7)
    chosen = (CHOICES[variant](replicas) for _ in range(of))
    return Counter(each.label if each else "primary" for each in chosen)


def test_every_variant_of_the_flag_has_its_chooser() -> None:
    assert set(CHOICES) == set(BY_KEY[REPLICA_ROUTING.key].variants)


def test_by_weight_both_have_their_shares() -> None:
    found = shares("weighted", one("a", 60), one("b", 40))
    assert found["a"] + found["b"] == 10_000
    assert abs(found["a"] - 6_000) < 200  # four standard deviations


def test_one_that_is_left_has_all() -> None:
    assert shares("weighted", one("b", 40), of=10) == {"b": 10}


@pytest.mark.parametrize("variant", CHOICES)
def test_of_none_none_is_chosen(variant: str) -> None:
    assert shares(variant, of=3) == {"primary": 3}


def test_off_is_the_primary() -> None:
    assert shares("off", one("a", 60), of=3) == {"primary": 3}


def test_the_nearest_has_all_however_it_is_weighed() -> None:
    assert shares("nearest", one("far", 900, 40.0), one("near", 1, 2.0), of=100) == {"near": 100}


def test_those_of_one_place_share_by_weight() -> None:
    found = shares("nearest", one("a", 60, 2.0), one("b", 40, 2.6), one("far", 900, 40.0))
    assert set(found) == {"a", "b"}


def test_one_whose_distance_is_not_known_is_not_the_nearest() -> None:
    assert shares("nearest", one("a", 60, None), one("b", 40, 50.0), of=50) == {"b": 50}
    assert set(shares("nearest", one("a", 60, None), one("b", 40, None))) == {"a", "b"}
