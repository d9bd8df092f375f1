"""The order of a drill and its verdict, on a part that is made up: each way of failing is told."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import redis

from console.experiments.engines import VariantRefused
from console.rehearsals import drilling, load
from console.rehearsals.drilling import Entries, Found, NotShown, drill
from console.rehearsals.judging import Judged, judge
from console.rehearsals.load import PATIENCE_S, Answer, Load, Stuck
from console.rehearsals.on_engine import ANSWER_S
from console.rehearsals.running import LEASE_S
from validation.engine import CHUNK_S

type Ask = Callable[[str, Sequence[str]], list[Answer]]


def echo(variant: str, units: Sequence[str]) -> list[Answer]:
    del variant
    return [Answer(unit=unit, said=f"said {unit}") for unit in units]


@dataclass
class Part:
    """`switches`: what is in force after each change, where it is not what was wanted."""

    ask_with: Ask = echo
    switches: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, Entries] = field(default_factory=dict)
    now: str = "old"
    load: str = "units that are echoed"
    chunk: int = 5
    units: Sequence[str] = tuple(map(str, range(300)))
    log: list[str] = field(default_factory=list)

    def switch(self, variant: str) -> None:
        self.log.append(f"switch to {variant}")
        self.now = self.switches.get(variant, variant)
        if self.now == "refused":
            raise VariantRefused("it cannot be")

    def told(self) -> str:
        return self.now

    def expected(self, variant: str) -> str:
        return variant

    def ask(self, units: Sequence[str]) -> list[Answer]:
        time.sleep(0.001)  # a part that answers at once would have millions of units a phase
        return self.ask_with(self.now, units)

    def mark(self) -> None:
        self.log.append("mark")

    def read(self, variant: str, said: Mapping[str, str]) -> Entries | None:
        del said
        self.log.append(f"{variant} reads")
        return self.entries.get(variant)


@dataclass
class Late(Part):
    """Nobody waits for its changes; they are done when it has been asked three times."""

    coming: Iterator[str] = field(default_factory=lambda: iter(()))

    def switch(self, variant: str) -> None:
        self.coming = iter((self.now, self.now, variant))
        raise TimeoutError

    def told(self) -> str:
        self.now = next(self.coming, self.now)
        return self.now


def found_of(part: Part) -> Found:
    return drill(part, baseline="old", target="new", units=20)


def judged(part: Part) -> Judged:
    return judge(found_of(part))


def with_the_target(change: Callable[[list[Answer]], list[Answer]]) -> Ask:
    def ask(variant: str, units: Sequence[str]) -> list[Answer]:
        answers = echo(variant, units)
        return change(answers) if variant == "new" else answers

    return ask


def test_it_goes_there_and_back_and_reads_what_each_wrote() -> None:
    part = Part(entries={"old": Entries(written=7, read=7), "new": Entries(written=3, read=3)})
    found = found_of(part)
    assert part.log == ["switch to new", "new reads", "mark", "old reads", "switch to old"]
    assert (found.back, found.ahead) == (part.entries["old"], part.entries["new"])
    for units in (found.before, found.during, found.after):
        assert units.right == units.asked >= 20
    # The first chunk of a phase is one of the phase before.
    assert found.during.again == found.after.again == 5
    passed, why = judge(found)
    assert passed
    assert "All 7 entries that the target wrote are read by the baseline." in why


def test_what_keeps_nothing_passes_without_entries() -> None:
    assert judged(Part()).why.endswith("each with one right result. Nothing is kept of it.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda all_: all_[:-1], "had no right result"),
        (lambda all_: [*all_, all_[0]], "one too many"),
        (lambda all_: all_[::-1], "the answer of"),
        (lambda all_: [Answer(unit=one.unit, said="", wrong="is invalid") for one in all_],
         "is invalid"),
        (lambda all_: 1 / 0, "ZeroDivisionError"),
        (lambda all_: [Answer(unit=one.unit, said="other") for one in all_],
         "5 of 5 units asked again came back otherwise: 0: said 0, then other"),
    ],
)  # fmt: skip
def test_units_without_one_right_result_are_no_way_back(change: Any, said: str) -> None:
    passed, why = judged(Part(ask_with=with_the_target(change)))
    assert not passed
    assert why.startswith("With the target, or on the way back, ")
    assert said in why


def test_a_chunk_is_waited_for_longer_than_the_engine_may_take() -> None:
    assert CHUNK_S < ANSWER_S < PATIENCE_S


def test_nothing_takes_longer_than_a_lease_without_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # To begin and end a node, engines, and connections that do not answer.
    some_s = 30.0
    # A change and its wait, or what is read; then the load's thread is waited for.
    longest_s = max(drilling.RESTORED_S + PATIENCE_S, PATIENCE_S + ANSWER_S)
    assert longest_s + some_s < LEASE_S
    assert drilling.RESTORED_S + 2 * PATIENCE_S + some_s < LEASE_S

    part = Part()
    wait = Load._wait

    def logged(of: Load, is_so: Callable[[], bool], what: str) -> None:
        part.log.append("wait")
        wait(of, is_so, what)

    monkeypatch.setattr(Load, "_wait", logged)
    drill(part, baseline="old", target="new", units=20, alive=lambda: part.log.append("alive"))
    for stretch in " ".join(part.log).split("alive")[1:]:
        assert stretch.strip() in {
            *("", "wait", "old reads", "new reads mark"),
            *("switch to new wait", "switch to old wait"),
        }


def test_what_is_lost_at_once_is_not_asked_for_any_longer() -> None:
    """A chunk that is lost after a minute takes as long as all of a phase may."""
    found = found_of(Part(ask_with=with_the_target(lambda _: [])))
    assert 0 < found.during.lost < 20


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("a chunk does not come back"),
        ConnectionRefusedError("no node"),
        redis.ConnectionError("no cache server"),
        psycopg.OperationalError("no database"),
    ],
)
def test_what_a_part_stands_on_is_not_blamed_on_the_part(error: Exception) -> None:
    def fail(answers: list[Answer]) -> list[Answer]:
        del answers
        raise error

    with pytest.raises(Stuck, match=f"does not go on: .* and 4 more: .*{error}"):
        found_of(Part(ask_with=with_the_target(fail)))


def test_what_is_wrong_only_after_it_is_told_too() -> None:
    back = 0

    def ask(variant: str, units: Sequence[str]) -> list[Answer]:
        nonlocal back
        back = back + 1 if variant == "old" and "new" in seen else 0
        seen.add(variant)
        # Not the chunk that is under way while it changes.
        wrong = "left broken" if back > 2 else ""
        return [Answer(unit=unit, said="", wrong=wrong) for unit in units]

    seen: set[str] = set()

    passed, why = judged(Part(ask_with=ask))
    assert not passed
    assert why.startswith("Back at the baseline, ")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"old": Entries(written=9, read=5)}, "what the target wrote: of 9 entries 4 are not read"),
        ({"old": Entries(written=9, read=9, corrupt=2)}, "2 of them as corrupt"),
        ({"old": Entries(units=9, differing=1, first="x: a, then b")}, "1 of 9 units came back"),
        ({"new": Entries(written=9, read=5)}, "The target cannot read what the baseline wrote"),
    ],
)
def test_entries_that_are_not_read_are_no_way_back(entries: dict[str, Entries], said: str) -> None:
    passed, why = judged(Part(entries=entries))
    assert not passed
    assert said in why


@pytest.mark.parametrize(
    ("becomes", "said"),
    [("refused", "it is refused: it cannot be"), ("new", "'new' is in force after 0 s")],
)
def test_a_baseline_that_does_not_come_back_is_told(
    becomes: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drilling, "RESTORED_S", 0.05)
    found = found_of(Part(switches={"old": becomes}))
    assert (found.restored_s, found.after.asked) == (None, 0)
    assert not judge(found).passed
    assert said in judge(found).why


@dataclass
class Timed(Part):
    """By a clock that stands still but for its chunks at first and its change back."""

    clock: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(now=0.0))
    chunk_s: float = 0.0
    change_s: float = 0.0

    def switch(self, variant: str) -> None:
        super().switch(variant)
        self.clock.now += self.change_s if variant == "old" else 0.0

    def ask(self, units: Sequence[str]) -> list[Answer]:
        self.clock.now += 0.0 if self.log else self.chunk_s
        return super().ask(units)


@pytest.mark.parametrize(
    ("chunk_s", "change_s", "under_way_s", "said"),
    [
        (0.0, 4.0, 0.0, "the baseline after 4000 ms"),
        (0.0, 6.0, 0.0, "does not come back: 'old' is in force only after 6.0 s, not within 5 s"),
        (0.0, 0.0, 7.0, "does not come back: what was under way ends only 7.0 s after the change"),
        (3.0, 0.0, 7.0, "the baseline after 7000 ms"),
        (3.0, 0.0, 9.0, "ends only 9.0 s after the change; before, a chunk took 3.0 s."),
    ],
)
def test_a_way_back_is_in_time_or_is_none(
    chunk_s: float, change_s: float, under_way_s: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Timed(chunk_s=chunk_s, change_s=change_s)
    times = SimpleNamespace(perf_counter=lambda: part.clock.now, sleep=time.sleep)
    monkeypatch.setattr(drilling, "time", times)
    monkeypatch.setattr(load, "time", times)
    until_settled = Load.until_settled

    def settle(of: Load) -> None:
        until_settled(of)
        part.clock.now += under_way_s if part.log[-1] == "switch to old" else 0.0

    monkeypatch.setattr(Load, "until_settled", settle)
    verdict = judged(part)
    assert verdict.passed == ("does not" not in said and "only" not in said)
    assert said in verdict.why


def test_a_change_that_is_late_is_no_refusal() -> None:
    found = found_of(Late())
    assert found.in_force_s is not None
    assert found.restored_s is not None
    assert judge(found).passed


def test_a_target_that_never_comes_in_force_shows_nothing() -> None:
    with pytest.raises(NotShown, match="The target does not come in force: it is refused"):
        found_of(Part(switches={"new": "refused"}))


def test_a_load_that_fails_at_the_baseline_shows_nothing() -> None:
    def ask(variant: str, units: Sequence[str]) -> list[Answer]:
        del variant
        return [Answer(unit=unit, said="", wrong="no node") for unit in units]

    with pytest.raises(NotShown, match="even at the baseline: 0: no node"):
        found_of(Part(ask_with=ask))
