"""Drills on real parts: every flag that can be has a way back, and what has none is found out."""

import threading
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

import pytest

from console.access.counting import Grant, ValkeyCounter
from console.experiments.node import PrivateNode
from console.flags.catalogue import API_QUOTAS, BY_KEY
from console.rehearsals import on_engine, possible, rehearsing, running, ways
from console.rehearsals.models import Rehearsal, State
from tests.rehearsals.made_up import ACTOR
from validation import flags
from validation.cache.codec import BY_TAG, CODECS
from validation.fleet_engine import FleetEngine
from validation.toggles import TOGGLES, Parts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small")]

CODEC = "cache.codec"


def drill(flag: str = CODEC, target: str = "gzip", units: int = 10) -> Rehearsal:
    return rehearsing.run(running.make(flag, target, ACTOR), units=units)


@pytest.mark.parametrize("key", BY_KEY)
def test_a_wired_flag_is_rehearsed_or_says_why_not(key: str) -> None:
    assert (key in ways.REHEARSED) == (not possible.why_not(key))
    if key not in ways.REHEARSED:
        return
    definition = BY_KEY[key]
    first, *others = definition.variants
    target = definition.ships if definition.ships != first else others[0]
    done = drill(key, target)
    assert done.state == State.PASSED, done.why
    found = done.found
    assert found["target_told"] != found["baseline_told"]
    assert 0 < found["restored_s"] < 5
    for phase in ("before", "during", "after"):
        assert found[phase]["right"] == found[phase]["asked"] >= 10, phase
    assert found["after"]["again"]


def test_what_it_wrote_is_counted_and_read_back() -> None:
    done = drill(target="brotli", units=30)
    back, ahead = done.found["back"], done.found["ahead"]
    assert back["read"] == back["written"] >= 20
    assert back["hits"] == back["units"] >= 30
    assert ahead["read"] == ahead["written"] >= 20
    assert (back["corrupt"], back["differing"], ahead["corrupt"]) == (0, 0, 0)
    assert f"All {back['written']} entries that the target wrote" in done.why


@dataclass(frozen=True, slots=True)
class Foreign:
    """A codec whose tag no reader of this release knows."""

    name: str = "foreign"
    tag: int = 200
    floor: int = 0
    gain: float = 10.0

    def encode(self, raw: bytes) -> bytes:
        return raw[::-1]

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        del limit
        return stored[::-1]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Any:
    def add(codec: Any) -> None:
        monkeypatch.setitem(CODECS, codec.name, codec)
        variants: Any = BY_KEY[CODEC].variants
        monkeypatch.setitem(variants, codec.name, codec.name)

    return add


def test_entries_that_the_baseline_cannot_read_are_found(added: Any) -> None:
    added(Foreign())
    done = drill(target="foreign", units=20)
    assert done.state == State.FAILED
    back = done.found["back"]
    assert (back["read"], back["corrupt"]) == (0, 0)
    assert back["written"] >= 10
    assert back["hits"] < back["units"]
    # It does its own work, and comes back in time: only what it leaves behind tells.
    assert done.found["during"]["right"] == done.found["during"]["asked"]
    assert done.found["restored_s"] < 5
    assert f"of {back['written']} entries {back['written']} are not read" in done.why


class Lossy(Foreign):
    """Its tag is known, and its bytes are not what was put in."""

    __slots__ = ()

    def encode(self, raw: bytes) -> bytes:
        return raw[:-1]


def test_entries_that_are_damaged_are_found(added: Any) -> None:
    added(Lossy(name="lossy", tag=CODECS["gzip"].tag))
    assert BY_TAG[CODECS["gzip"].tag] is CODECS["gzip"]
    done = drill(target="lossy", units=20)
    assert done.state == State.FAILED
    assert done.found["back"]["corrupt"] >= 10
    assert "The baseline cannot read what the target wrote" in done.why


class OneWay:
    """Goes there, and never back."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def apply(self, parts: Parts, value: Any) -> None:
        if self.in_force(parts) != "tinylfu":
            self._of.apply(parts, value)

    def equip(self, engine: Any, value: Any) -> None:
        self._of.equip(engine, value)

    def in_force(self, parts: Parts) -> str:
        return str(self._of.in_force(parts))


def test_a_part_that_does_not_come_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    key = flags.L1_EVICTION.key
    toggles: Any = TOGGLES
    monkeypatch.setitem(toggles, key, OneWay(TOGGLES[key]))
    monkeypatch.setattr("console.rehearsals.drilling.RESTORED_S", 0.3)
    done = drill(key, "tinylfu")
    assert (done.state, done.found["restored_s"]) == (State.FAILED, None)
    assert "'tinylfu' is in force" in done.why
    assert "not 'fifo'" in done.why


class Refusing(OneWay):
    def apply(self, parts: Parts, value: Any) -> None:
        if self.in_force(parts) == "tinylfu":
            raise ValueError("its sketch would be lost")
        super().apply(parts, value)


def test_a_part_that_refuses_to_come_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    key = flags.L1_EVICTION.key
    toggles: Any = TOGGLES
    monkeypatch.setitem(toggles, key, Refusing(TOGGLES[key]))
    done = drill(key, "tinylfu")
    assert done.state == State.FAILED
    assert "does not come back: it is refused" in done.why
    assert "its sketch would be lost" in done.why


def test_a_cache_server_that_is_slow_to_count_refuses_no_call_of_a_drill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = ValkeyCounter.draw

    def late(counter: ValkeyCounter, key: str, calls: int) -> Grant:
        threading.Event().wait(0.4)
        return draw(counter, key, calls)

    monkeypatch.setattr(ValkeyCounter, "draw", late)
    done = drill(API_QUOTAS.key, "leased")
    assert done.state == State.PASSED, done.why


@pytest.mark.parametrize("reads", [False, True])
def test_an_engine_that_no_longer_answers_is_found(
    reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the target: the one at work, or only one that begins with it."""

    def wait_less(asked: tuple[Future[Any]], for_s: float) -> Any:
        return wait(asked, 0.01 if asked[0] in never else for_s)

    monkeypatch.setattr(on_engine, "wait", wait_less)
    never = set[Future[Any]]()
    validate, key = FleetEngine.validate, flags.L1_EVICTION.key
    at_work = set[FleetEngine]()

    def held_up(engine: FleetEngine, *of: Any, **named: Any) -> Any:
        if engine.in_force()[key] != "tinylfu":
            at_work.add(engine)
        elif (engine in at_work) is not reads:
            never.add(lost := Future[Any]())
            return lost
        return validate(engine, *of, **named)

    monkeypatch.setattr(FleetEngine, "validate", held_up)
    done = drill(key, "tinylfu")
    assert done.state == State.FAILED, done.why
    assert "nothing within 90 s" in done.why
    if not reads:
        assert done.found["during"]["lost"] >= 10


def test_a_node_that_lies_shows_nothing(node: PrivateNode) -> None:
    node.set(lie="tx-value")
    try:
        done = drill("rpc.retry", "budgeted")
    finally:
        node.set(lie=None)
    assert done.state == State.NOT_RUN
    assert "even at the baseline" in done.why
