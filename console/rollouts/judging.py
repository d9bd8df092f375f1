"""What is to become of a rollout now: a pure function of how it stands, what is seen and the clock.

Two bad windows in a row take it back. What is not told holds it at once, and takes it back after
three windows while its stage has not baked yet; only after a whole window that was told it goes on.
A stage is raised only after its bake: so long in which nothing was bad, missing or held, looked at
without a gap; and with guards that hold, enough units in each arm, gates that pass and nothing that
refuses it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from console.flags.standing import ALL
from console.rollouts.comparing import Verdict
from console.rollouts.records import WINDOW_S

type Kind = Literal["wait", "advance", "done", "hold", "resume", "roll_back"]

# Windows without a word.
MISSING_S: Final = 3 * WINDOW_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How a rollout stands; times by Postgres' clock, in seconds. `state`: running, held, stopped,
    or one in which it has ended.
    """

    state: str
    held_for: str = ""
    stage: int
    stages: tuple[int, ...]
    bake_s: float
    baking_since_s: float | None = None
    has_baked: bool = False
    missing_since_s: float | None = None

    @property
    def next_stage(self) -> int | None:
        return next((stage for stage in self.stages if stage > self.stage), None)

    @property
    def is_over(self) -> bool:
        return self.state not in {"running", "held", "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`last` and `before` are windows, one after the other; `total` is the whole stage, which
    `leans` where it is above what is allowed without being sure. `thin`: the last window has too
    few units to be judged. `leans_lately`: of the last bake alone, in words. `is_whole`: nothing
    was missing for a window. `alone`: that nobody is left to compare with. Words say it with
    numbers.
    """

    missing: str = ""
    is_whole: bool = True
    alone: str = ""
    gap_s: float = 0.0
    last: Verdict = "unknown"
    before: Verdict = "unknown"
    total: Verdict = "unknown"
    leans: bool = False
    leans_lately: str = ""
    thin: bool = False
    words: str = ""
    words_of_stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """`refuses` a stage with words; asked only where one is due. `gates`: those that do not pass.
    `stopped`: why no rollout goes on by itself.
    """

    refuses: Callable[[int], str] = lambda _stage: ""
    gates: Callable[[], str] = lambda: ""
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`position` is how it stands then. "wait" is no news: `why` says what for."""

    kind: Kind
    why: str
    position: Position


def decide(at: Position, seen: Seen, around: Around, now_s: float) -> Decision:
    if at.is_over:
        return _waits(at, "")
    if at.stage == 0:
        return _begin(at, seen, around, now_s)
    if seen.total == "bad":
        # Whatever is not told now, and however long nobody looked.
        return _taken_back(at, f"The stage as a whole is bad. {seen.words_of_stage}")
    if seen.missing:
        return _missing(at, seen, now_s)
    return _untold(at, seen, now_s) or _good(replace(at, missing_since_s=None), seen, around, now_s)


def _untold(at: Position, seen: Seen, now_s: float) -> Decision | None:
    """What there is to heed before the stage goes on: a gap, bad windows, what was missing."""
    if gap := _gap(seen):
        return _waits(replace(at, baking_since_s=now_s), f"{gap} {at.stage} % bakes anew.")
    if bad := _bad(at, seen, now_s):
        return bad
    if at.missing_since_s is None or seen.is_whole:
        return None
    why = f"Something was missing: a window of {WINDOW_S:g} s is to tell all before it goes on."
    return _waits(replace(at, baking_since_s=None), why)


def _gap(seen: Seen) -> str:
    return f"Nobody looked for {seen.gap_s:.0f} s." if seen.gap_s else ""


def _bad(at: Position, seen: Seen, now_s: float) -> Decision | None:
    if seen.last == seen.before == "bad":
        return _taken_back(at, f"Two windows of {WINDOW_S:g} s in a row were bad. {seen.words}")
    if seen.last == "bad":
        why = f"A window was bad; another one, and it is taken back. {seen.words}"
        return _waits(replace(at, baking_since_s=now_s), why)
    return None


def _good(at: Position, seen: Seen, around: Around, now_s: float) -> Decision:
    if held := _held(at, seen, now_s):
        return held
    at = replace(at, baking_since_s=now_s if at.baking_since_s is None else at.baking_since_s)
    if why_not := _unready(at, seen, now_s):
        return _waits(at, why_not)
    at = replace(at, has_baked=True)
    if failing := around.gates():
        return _waits(at, failing)
    why = f"{at.stage} % held for {at.bake_s:.0f} s. {seen.words_of_stage}"
    if at.next_stage is None:
        return Decision(kind="done", why=why, position=_ended(at, "done"))
    return _raise(at, at.next_stage, around, now_s, why)


def _held(at: Position, seen: Seen, now_s: float) -> Decision | None:
    """What holds it though nothing is bad, or has come to its end; None: it bakes."""
    if at.state == "stopped" or at.held_for == "operator":
        return _waits(replace(at, baking_since_s=now_s), "")
    if seen.alone:
        return _alone(at, seen)
    if at.held_for == "missing":
        on = replace(at, state="running", held_for="", baking_since_s=now_s)
        return Decision(kind="resume", why="All is told again; it bakes anew.", position=on)
    if at.held_for == "refused" and at.baking_since_s is None:
        on = replace(at, state="running", held_for="", baking_since_s=now_s)
        return Decision(kind="resume", why="Some are without it again; it bakes anew.", position=on)
    return None


def _alone(at: Position, seen: Seen) -> Decision:
    """All have it, which is no fault of the variant's: held, and not taken back."""
    held = replace(at, state="held", held_for="refused", baking_since_s=None)
    kind: Kind = "wait" if at.held_for == "refused" else "hold"
    return Decision(kind=kind, why=seen.alone, position=held)


def _begin(at: Position, seen: Seen, around: Around, now_s: float) -> Decision:
    """Nobody has it yet: there is nothing to compare, but who would tell must be there."""
    if at.state == "stopped" or at.held_for == "operator" or at.next_stage is None:
        return _waits(at, "")
    if why_not := seen.missing or _gap(seen) or around.gates():
        return _waits(at, why_not)
    return _raise(at, at.next_stage, around, now_s, f"It begins with {at.next_stage} %.")


def _missing(at: Position, seen: Seen, now_s: float) -> Decision:
    since_s = at.missing_since_s
    if since_s is None or seen.gap_s > 2 * WINDOW_S:
        since_s = now_s
    at = replace(at, missing_since_s=since_s, baking_since_s=None)
    if not at.has_baked and now_s - since_s >= MISSING_S:
        why = f"Three windows of {WINDOW_S:g} s told nothing, and {at.stage} % is new."
        return _taken_back(at, f"{why} {seen.missing}")
    if at.state != "running" and at.held_for != "refused":
        return Decision(
            kind="wait", why="" if at.held_for != "missing" else seen.missing, position=at
        )
    held = replace(at, state="held", held_for="missing")
    return Decision(kind="hold", why=f"Held at {at.stage} %. {seen.missing}", position=held)


def _unready(at: Position, seen: Seen, now_s: float) -> str:
    """Why the stage is not to be raised yet, as far as data tell."""
    since_s = now_s if at.baking_since_s is None else at.baking_since_s
    if (left_s := at.bake_s - (now_s - since_s)) > 0:
        return f"{at.stage} % bakes for {left_s:.0f} s yet. {seen.words}"
    if seen.total == "unknown":
        return f"Not enough is known to go on. {seen.words_of_stage}"
    if seen.leans:
        return f"A guard is passed, if not surely: more is awaited. {seen.words_of_stage}"
    if seen.leans_lately:
        return f"Lately a guard is passed, if not surely: more is awaited. {seen.leans_lately}"
    if seen.thin:
        return f"The last {WINDOW_S:g} s do not tell enough. {seen.words}"
    return ""


def _raise(at: Position, stage: int, around: Around, now_s: float, why: str) -> Decision:
    if around.stopped:
        return _waits(at, around.stopped)
    if refusal := around.refuses(stage):
        if at.held_for == "refused":
            return _waits(at, refusal)
        held = replace(at, state="held", held_for="refused")
        return Decision(kind="hold", why=refusal, position=held)
    at = replace(
        at, state="running", held_for="", stage=stage, baking_since_s=now_s, has_baked=False
    )
    if stage == ALL:
        # Nobody is left to compare with.
        return Decision(kind="done", why=why, position=_ended(at, "done"))
    return Decision(kind="advance", why=why, position=at)


def _taken_back(at: Position, why: str) -> Decision:
    return Decision(kind="roll_back", why=why, position=_ended(replace(at, stage=0), "rolled_back"))


def _ended(at: Position, state: str) -> Position:
    return replace(at, state=state, held_for="", baking_since_s=None, missing_since_s=None)


def _waits(at: Position, why: str) -> Decision:
    return Decision(kind="wait", why=why, position=at)
