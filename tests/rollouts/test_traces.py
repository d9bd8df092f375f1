"""Ten thousand random lives of a rollout, judged second by second: what never happens in any."""

from itertools import pairwise
from random import Random

import pytest

from console.rollouts.comparing import Verdict
from console.rollouts.judging import Around, Decision, Position, Seen, decide
from console.rollouts.records import WINDOW_S

TRACES = 10_000
SECONDS = 60
VERDICTS: tuple[Verdict, ...] = ("good", "good", "good", "good", "unknown", "bad")
STAGES = (5, 25, 50, 100)


class Trace:
    """One life. What is seen is drawn by its own odds, in stretches, as real troubles are."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.trouble = self.random.choice((0.0, 0.02, 0.2))
        self.at = Position(state="running", stage=0, stages=STAGES, bake_s=float(
            self.random.choice((4, 8, 12))
        ))  # fmt: skip
        self.now_s = 1000.0
        self.missing_until = self.refused_until = self.bad_until = 0.0
        self.last_gap_s = self.last_missing_s = self.last_bad_s = -1000.0
        self.decisions: list[tuple[float, Decision]] = []

    def seen(self) -> Seen:
        gap_s = 0.0
        if self.random.random() < self.trouble:
            self.missing_until = self.now_s + self.random.choice((1, 3, 20))
        if self.random.random() < self.trouble:
            self.bad_until = self.now_s + self.random.choice((1, 5, 10))
        if self.random.random() < self.trouble:
            self.refused_until = self.now_s + self.random.choice((1, 10))
        if self.random.random() < self.trouble / 2:
            gap_s = self.random.uniform(WINDOW_S, 600)
            self.now_s += gap_s
            self.last_gap_s = self.now_s
        is_bad = self.now_s < self.bad_until
        last = "bad" if is_bad else self.random.choice(VERDICTS[:5])
        before = "bad" if self.now_s - WINDOW_S < self.bad_until and is_bad else "good"
        missing = "Nobody can be heard." if self.now_s < self.missing_until else ""
        if missing:
            self.last_missing_s = self.now_s
        is_whole = self.now_s - max(self.last_missing_s, self.last_gap_s) >= WINDOW_S
        if is_bad:
            self.last_bad_s = self.now_s
        total = self.random.choice(("good", "good", "unknown"))
        if self.random.random() < self.trouble / 20:
            total = "bad"
        return Seen(
            missing=missing,
            is_whole=is_whole,
            gap_s=gap_s,
            last=last,
            before=before,  # type: ignore[arg-type]
            total=total,  # type: ignore[arg-type]
            leans=self.random.random() < self.trouble,
            thin=self.random.random() < self.trouble,
        )

    def around(self) -> Around:
        return Around(
            refuses=lambda _stage: "Frozen." if self.now_s < self.refused_until else "",
            gates=lambda: "A gate fails." if self.random.random() < self.trouble else "",
            stopped="Rollouts are stopped." if self.random.random() < self.trouble / 4 else "",
        )

    def live(self) -> None:
        for _ in range(SECONDS):
            self.now_s += 1.0
            was, seen = self.at, self.seen()
            decision = decide(was, seen, self.around(), self.now_s)
            self.hold_true(was, seen, decision)
            self.at = decision.position
            if decision.kind != "wait":
                self.decisions.append((self.now_s, decision))

    def hold_true(self, was: Position, seen: Seen, decision: Decision) -> None:
        to = decision.position
        if was.is_over:
            assert decision.kind == "wait"
            assert to == was
            return
        if decision.kind in {"advance", "done"}:
            assert to.stage == was.next_stage or (was.next_stage is None and to.stage == was.stage)
            assert not seen.missing
            assert not seen.gap_s
            if was.stage:
                for last_s in (self.last_gap_s, self.last_missing_s, self.last_bad_s):
                    assert self.now_s - last_s >= was.bake_s
                assert seen.last != "bad"
                assert seen.total == "good"
            assert was.state != "stopped"
            assert was.held_for != "operator"
        if to.stage < was.stage:
            assert decision.kind == "roll_back"
            assert (to.stage, to.state) == (0, "rolled_back")
        if seen.missing and was.stage:
            assert decision.kind in {"hold", "wait", "roll_back"}
            assert to.state != "running"
        if decision.kind == "resume":
            assert seen.is_whole
            assert to.missing_since_s is None
        if seen.total == "bad" and was.stage:
            assert decision.kind == "roll_back"
        if decision.kind != "wait":
            assert decision.why


def is_for_missing(decision: Decision, what: str) -> bool:
    """Held for it, or resumed after it; a refusal holds by its own rule."""
    return decision.kind == what and decision.position.held_for in {"missing", ""}


@pytest.mark.parametrize("part", range(4))
def test_no_gap_promotes_no_end_changes_and_a_rollout_turns_once(part: int) -> None:
    ends: set[str] = set()
    for seed in range(part * TRACES // 4, (part + 1) * TRACES // 4):
        trace = Trace(seed)
        trace.live()
        back = [at for at, decision in trace.decisions if decision.kind == "roll_back"]
        # Taken back once, and never up again: the next begins by hand, after the cool-down.
        assert len(back) <= 1
        if back:
            assert trace.decisions[-1][0] == back[0]
        for what in ("hold", "resume"):
            of_it = [at for at, one in trace.decisions if is_for_missing(one, what)]
            assert all(later - at >= WINDOW_S for at, later in pairwise(of_it))
        ends.add(trace.at.state)
    assert {"done", "rolled_back", "running", "held"} <= ends


def test_a_new_stage_fed_every_other_second_is_taken_back_and_one_that_has_baked_held_once() -> (
    None
):
    for has_baked, wanted in ((False, ["hold", "roll_back"]), (True, ["hold"])):
        at = Position(state="running", stage=5, stages=STAGES, bake_s=12.0, has_baked=has_baked)
        kinds = []
        for second in range(40):
            missing = "Nobody can be heard." if second % 2 else ""
            seen = Seen(missing=missing, is_whole=False, last="good", before="good", total="good")
            decision = decide(at, seen, Around(), 1000.0 + second)
            at = decision.position
            kinds += [decision.kind] if decision.kind != "wait" else []
        assert kinds == wanted


def test_a_stage_that_is_bad_as_a_whole_is_taken_back_over_a_gap() -> None:
    at = Position(state="running", stage=5, stages=STAGES, bake_s=12.0)
    for seen in (Seen(total="bad", gap_s=60.0), Seen(total="bad", missing="Nobody is heard.")):
        assert decide(at, seen, Around(), 1000.0).kind == "roll_back"
