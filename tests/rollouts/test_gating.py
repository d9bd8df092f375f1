"""Gates are judged aside, and what was judged is good for half a minute."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from console.rollouts import gating

NAMES = {"made-up"}


class Made:
    """Keeps gates by a clock that the test moves; `work` is what waits to be run aside."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.state = "pass"
        self.work: list[Callable[[], None]] = []
        self.kept = gating.Kept(self._judge, start=self.work.append, clock=lambda: self.now_s)

    def _judge(self) -> Any:
        if self.state == "ill":
            raise ValueError("a gate of another release")
        yield SimpleNamespace(id="made-up", state=self.state)

    def look(self, seconds: float = 0.0) -> str | None:
        self.now_s += seconds
        found = self.kept.judged(NAMES)
        return None if found is None else found["made-up"].state


def test_it_is_not_waited_for_and_known_once_it_is_done() -> None:
    made = Made()
    assert made.look() is None
    made.work.pop()()
    assert made.look() == "pass"


def test_what_takes_its_time_is_kept_for_half_a_minute_and_no_data_from_then_on() -> None:
    made = Made()
    made.look()
    made.work.pop()()
    made.state = "fail"
    assert made.look(30) == "pass"
    assert made.look(1) is None
    made.work.pop()()
    # As of when it began.
    assert made.look() == "fail"


def test_what_cannot_be_judged_is_no_data_at_once() -> None:
    made = Made()
    made.look()
    made.work.pop()()
    made.state = "ill"
    made.look(10)
    made.work.pop()()
    assert made.look() is None


def test_nobody_is_asked_without_gates_nor_again_within_ten_seconds() -> None:
    made = Made()
    assert made.kept.judged(()) == {}
    assert made.work == []
    made.look()
    made.work.pop()()
    made.look(9)
    assert made.work == []


def test_it_is_judged_aside_and_once_at_a_time() -> None:
    begun, go_on, threads = threading.Event(), threading.Event(), list[threading.Thread]()

    def judge() -> Any:
        threads.append(threading.current_thread())
        begun.set()
        go_on.wait(30)
        return ()

    kept = gating.Kept(judge)
    assert kept.judged(NAMES) is None
    assert begun.wait(30)
    assert kept.judged(NAMES) is None
    go_on.set()
    threads[0].join(30)
    assert kept.judged(NAMES) == {}
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
