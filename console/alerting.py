"""Looks for alarms in a process of the console; and tells what only the console knows of them."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.db.models import Max
from django.db.models.functions import Now

from console import capacity
from console.access.models import AuditCheck
from console.rollouts import signals as rollouts
from monitoring import snapshots
from monitoring.alerts import signals
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.evaluate import Evaluator
from monitoring.alerts.rules import Observation
from validation.models import Control, ControlKind

_OLD_S: Final = RULES["audit.unchecked"].warning or 0.0
_BEGAN: Final = time.monotonic()


def begin(kind: str) -> Callable[[], None]:
    """Looks for alarms in this process, web or beat, whenever its turn comes; what ends it.
    Without COLLECT it is left to others.
    """
    if not settings.COLLECT:
        return _nothing
    register()
    name = f"{kind}:{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    evaluator = Evaluator(name)
    evaluator.start()
    return evaluator.stop


def _nothing() -> None:
    pass


def register() -> None:
    """Each signal by the rule that it is for; a package that has one adds its line."""
    signals.register("audit.broken", _audit)
    signals.register("audit.unchecked", _unchecked)
    signals.register("flags.stale", _flags)
    signals.register(capacity.RULE, capacity.observations)
    signals.register(rollouts.ROLLED_BACK, rollouts.rolled_back)
    signals.register(rollouts.HELD, rollouts.held)
    signals.register(rollouts.STOPPED, rollouts.stopped)
    signals.register(rollouts.UNWATCHED, rollouts.unwatched)


def _audit() -> Iterator[Observation]:
    check, age_s = _checked()
    if check is None or age_s is None or age_s >= _OLD_S:
        # Of an old check nobody knows whether it still holds.
        yield Observation(subject="", value=None)
    else:
        yield Observation(subject="", value=float(bool(check.fault)), words=str(check))


def _unchecked() -> Iterator[Observation]:
    """One that was never checked is so since this process looks."""
    _, age_s = _checked()
    if age_s is None:
        words = "It was never checked since this process began to look."
        yield Observation(subject="", value=time.monotonic() - _BEGAN, words=words)
    else:
        yield Observation(subject="", value=age_s, words=f"The last check was {age_s:.0f} s ago.")


def _checked() -> tuple[AuditCheck | None, float | None]:
    """The last check and its age, by Postgres' clock."""
    check = AuditCheck.objects.filter(pk=1).annotate(now=Now()).first()
    if check is None or check.checked_at is None:
        return check, None
    return check, (check.now - check.checked_at).total_seconds()


def _flags() -> Iterator[Observation]:
    """Processes that decide by flags older than the newest change of any."""
    wanted = Control.objects.filter(kind=ControlKind.FLAGS).aggregate(found=Max("revision"))
    workers = snapshots.workers()
    if workers is None:
        yield Observation(subject="", value=None)
        return
    newest = wanted["found"] or 0
    up = [worker for worker in workers if worker.state == "up"]
    if not up:
        yield Observation(subject="", value=None)
        return
    behind = [worker.id for worker in up if (worker.acknowledged or 0) < newest]
    words = f"{len(behind)} of {len(up)} processes do not have revision {newest}."
    yield Observation(subject="", value=float(len(behind)), words=words)
