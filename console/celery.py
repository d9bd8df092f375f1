"""The Celery application: `celery -A console.celery worker`. Messages only ring."""

import atexit
import gc
import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_embedded_init,
    beat_init,
    setup_logging,
    worker_before_create_process,
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
# They load each page, and Celery drops what they find. `make check` heeds it.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

from django.conf import settings

app = Celery("switchyard")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL or "redis://unset.invalid/0",
    broker_connection_retry_on_startup=True,
    # Bounded waits: a frozen broker held a publisher for over 25 s with the defaults.
    broker_transport_options={
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
    },
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=5,
    worker_enable_soft_shutdown_on_idle=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    task_default_queue="switchyard",
    beat_schedule={
        "sweep": {"task": "validation.sweep", "schedule": 2.0},
        "check-audit": {"task": "access.check_audit", "schedule": 30.0},
        "fold": {"task": "monitoring.fold", "schedule": 5.0},
        "flag-plans": {"task": "flags.run_plans", "schedule": 1.0, "options": {"expires": 5}},
        "flag-counts": {"task": "flags.count", "schedule": 10.0},
        "forget-old-drafts": {"task": "validation.forget_old_drafts", "schedule": 3600.0},
        "experiments": {"task": "experiments.look", "schedule": 20.0, "options": {"expires": 15}},
        "rehearsals": {"task": "rehearsals.look", "schedule": 5.0, "options": {"expires": 5}},
        "make-room": {"task": "retention.make_room", "schedule": 3600.0},
        "retention": {"task": "retention.turn", "schedule": 60.0, "options": {"expires": 60}},
    },
)
app.autodiscover_tasks(
    [
        *("console.access", "console.flags", "console.retention", "console.experiments"),
        "console.rehearsals",
        *("validation", "monitoring"),
    ]
)


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Django's LOGGING stands; Celery would lay its own over it."""


@worker_before_create_process.connect
def _share_what_is_there(**_: Any) -> None:
    """A child's collector would write to each page of what it was forked with, and have its own."""
    gc.collect()
    gc.freeze()


@beat_init.connect
@beat_embedded_init.connect
def _tell_of_beat(**_: Any) -> None:
    # Here: they need the apps, which Celery sets up after it has imported this module.
    from console import alerting, collecting  # noqa: PLC0415 - as said
    from console.rollouts import ticking  # noqa: PLC0415 - as said
    from monitoring.publisher import Publisher  # noqa: PLC0415 - as said

    publisher = Publisher("beat")
    publisher.start()
    atexit.register(publisher.stop)
    atexit.register(collecting.begin("beat"))
    atexit.register(alerting.begin("beat"))
    atexit.register(ticking.begin())
