"""A drill is run: begun by one runner, judged, and kept whatever comes of it."""

from datetime import timedelta
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
import redis
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from console.access.audit import Actor
from console.experiments import surroundings, turns
from console.experiments.database import NoDatabase
from console.experiments.engines import VariantRefused
from console.experiments.hushing import hushed
from console.experiments.node import NodeFailed
from console.experiments.writing import written
from console.rehearsals import running, ways
from console.rehearsals.drilling import NotShown, drill
from console.rehearsals.judging import judge
from console.rehearsals.load import Stuck
from console.rehearsals.models import Rehearsal, State
from console.rehearsals.running import LEASE_S, expire
from monitoring import events

UNITS: Final = 120
"""Of each phase, at least."""
_NOT_RUN: Final = (
    *(NotShown, NodeFailed, NoDatabase, VariantRefused, Stuck, TimeoutError),
    *(redis.RedisError, psycopg.Error, OSError),
)


class Busy(Exception):
    """Another drill or an experiment runs; says which."""


class Lost(Exception):
    """It was taken for dead meanwhile: what stands of it stands."""


class Ended(NamedTuple):
    """What one drill came to."""

    state: State
    why: str
    found: dict[str, Any]


class Terminated(BaseException):
    """The process was told to end."""


def run(rehearsal: Rehearsal, *, units: int = UNITS) -> Rehearsal:
    """To its end, in this process. Raises Busy where another runs: it waits on as it is.

    A machine that stalls may cost a drill what the flag never would: one that failed is drilled
    once more. What fails only once is no verdict, and no way back either: see `standing`.
    """
    _begin(rehearsal)
    failed = ""
    try:
        ended = _drilled(rehearsal, units)
        if ended.state == State.FAILED:
            failed = ended.why
            # Whatever becomes of the next one.
            _renew(rehearsal, found=ended.found)
            ended = _drilled(rehearsal, units)
    except Lost:
        rehearsal.refresh_from_db()
        return rehearsal
    except (KeyboardInterrupt, Terminated):
        why = "Its process was told to end."
        return _end(rehearsal, State.INTERRUPTED, why=f"{_before(failed)}{why}")
    except _NOT_RUN as exc:
        why = str(exc) or type(exc).__name__
        return _end(rehearsal, State.NOT_RUN, why=f"{_before(failed)}{why}")
    except BaseException as exc:
        why = f"A defect of this program: {type(exc).__name__}: {exc}"
        _end(rehearsal, State.NOT_RUN, why=f"{_before(failed)}{why}")
        raise
    if failed and ended.state == State.PASSED:
        return _end(rehearsal, State.NOT_RUN, why=f"Failed once, passed once: {failed}")
    return _end(rehearsal, ended.state, why=ended.why, found=ended.found)


def _before(failed: str) -> str:
    """What goes before why the second one came to no end."""
    return f"Failed once: {failed} Could not be run to its end again: " if failed else ""


def run_now(flag: str, target: str, actor: Actor) -> Rehearsal:
    """One is made and run here, or the one that waits already. Raises Busy where another runs: what
    was made for this is given up then, what waited waits on. Else as `running.make`.
    """
    drill, is_new = running.ask(flag, target, actor)
    if drill.state == State.RUNNING:
        raise Busy(f"{drill} of it runs already, {_at_most(drill)}: wait for what it finds.")
    try:
        return run(drill)
    except Busy as exc:
        if is_new:
            running.give_up(drill, str(exc))
        raise


def _at_most(drill: Rehearsal) -> str:
    """Who runs it may have been killed: nobody knows before."""
    return f"until {drill.lease_until:%H:%M:%S} UTC at most" if drill.lease_until else "for a while"


def _drilled(rehearsal: Rehearsal, units: int) -> Ended:
    flag, baseline, target = rehearsal.flag, rehearsal.baseline, rehearsal.target
    with hushed(), ways.rig(flag, baseline, target) as rig:
        found = drill(
            rig,
            baseline=baseline,
            target=target,
            units=units,
            alive=lambda: _renew(rehearsal),
        )
    passed, why = judge(found)
    state = State.PASSED if passed else State.FAILED
    return Ended(state=state, why=why, found=msgspec.to_builtins(found))


def _begin(rehearsal: Rehearsal) -> None:
    expire()
    started = {
        "state": State.RUNNING,
        "began_at": Now(),
        "lease_until": Now() + timedelta(seconds=LEASE_S),
        "machine": surroundings.machine(),
        "code_revision": surroundings.code_revision(),
        "flag_revision": surroundings.flag_revision(),
    }
    try:
        with transaction.atomic():
            if taken := turns.of_others(Rehearsal):
                raise Busy(f"{taken} runs: two at a time would measure each other.")
            waiting = Rehearsal.objects.filter(pk=rehearsal.pk, state=State.QUEUED)
            number = waiting.update(**started)
    except IntegrityError as exc:
        other = Rehearsal.objects.filter(state=State.RUNNING).first()
        until = f", {_at_most(other)}" if other else ""
        why = f"{other or 'Another'} runs{until}: two at a time would measure each other."
        raise Busy(why) from exc
    rehearsal.refresh_from_db()
    if not number:
        raise Busy(f"{rehearsal} is not waiting: it is {rehearsal.get_state_display()}.")
    _announce(rehearsal)


def _renew(rehearsal: Rehearsal, **more: Any) -> None:
    """There is time for what comes next. Raises Lost."""
    until = Now() + timedelta(seconds=LEASE_S)
    mine = Rehearsal.objects.filter(pk=rehearsal.pk, state=State.RUNNING)
    if not written(lambda: mine.update(lease_until=until, **more), within_s=LEASE_S):
        raise Lost


def _end(rehearsal: Rehearsal, state: State, **more: Any) -> Rehearsal:
    """Unless it was taken for dead: then that stands."""
    mine = Rehearsal.objects.filter(pk=rehearsal.pk, state=State.RUNNING)
    ended = {"state": state, "ended_at": Now(), "lease_until": None, **more}
    written(lambda: mine.update(**ended), within_s=LEASE_S)
    rehearsal.refresh_from_db()
    _announce(rehearsal)
    return rehearsal


def _announce(rehearsal: Rehearsal) -> None:
    events.publish("roadmap", "rollouts", f"flag:{rehearsal.flag}")
