"""Counts what becomes of Celery's tasks, in the process that works on them."""

from typing import Any, Final

from celery.signals import task_failure, task_prerun, task_retry, task_success

from monitoring.instruments import TASKS

# Names are ours, but a message may hold any.
_OTHER: Final = "other"
_OURS: Final = (
    *("validation.", "monitoring.", "access.", "flags.", "console.", "retention."),
    *("experiments.", "rehearsals."),
)


@task_prerun.connect
def _begun(task: Any = None, **_: object) -> None:
    info = getattr(getattr(task, "request", None), "delivery_info", None) or {}
    if info.get("redelivered"):
        _count(task, "again")


@task_success.connect
def _done(sender: Any = None, **_: object) -> None:
    _count(sender, "ok")


@task_retry.connect
def _retried(sender: Any = None, **_: object) -> None:
    _count(sender, "retried")


@task_failure.connect
def _failed(sender: Any = None, **_: object) -> None:
    _count(sender, "failed")


def _count(task: Any, outcome: str) -> None:
    name = str(getattr(task, "name", ""))
    TASKS.labels(name if name.startswith(_OURS) else _OTHER, outcome).inc()
