"""Left to the workers: a real child begins it over the broker; it is seen, ended, and outlived."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from console.embedded.cluster import Cluster
from console.experiments import running, tasks
from console.experiments.claims import claims
from console.experiments.models import Experiment, State
from tests.experiments.made_up import ACTOR
from tests.fleet import wait_until
from tests.services import ROOT, process_environment

pytestmark = pytest.mark.django_db(transaction=True)

# A tenth of a second a block: neither ends by itself while this test looks.
PAIRS = 200


@pytest.fixture
def worker(services: Cluster, tmp_path: Path) -> Iterator[psutil.Process]:
    """One child, on the database of this test."""
    url = services.postgres.url_of(str(connection.settings_dict["NAME"]))
    command = ("-m", "celery", "-A", "console.celery", "worker", "-l", "warning", "-c", "1")
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=process_environment(services) | {"DATABASE_URL": url},
            stdout=log,
            stderr=log,
        )
    family = psutil.Process(process.pid)
    try:
        wait_until(lambda: bool(family.children()), within_s=60, what="a worker child")
        yield family
    finally:
        left = family.children(recursive=True)
        process.terminate()
        process.wait(timeout=60)
        for each in left:
            if each.is_running():
                each.kill()


def runner(worker: psutil.Process, experiment: Experiment) -> psutil.Process:
    wanted = ["experiment", "--run", str(experiment.pk), "--json"]
    every = worker.children(recursive=True)
    [found] = [each for each in every if each.cmdline()[-4:] == wanted]
    return found


def is_seen(experiment: Experiment) -> bool:
    return experiment.blocks.count() > 2


def test_a_worker_begins_it_and_the_next_when_its_runner_was_killed(
    worker: psutil.Process,
) -> None:
    first, second = (
        running.make(claims()[key], ACTOR, pairs=PAIRS)
        for key in ("breaker-window", "breaker-time-window")
    )
    tasks.ring(first.pk)
    wait_until(lambda: is_seen(first), within_s=60, what="its blocks are seen")
    process = runner(worker, first)
    assert worker.children()[0] in process.parents()

    process.kill()
    late = timezone.now() - timedelta(seconds=running.LEASE_S)
    Experiment.objects.filter(pk=second.pk).update(created_at=late)
    tasks.look()
    first.refresh_from_db()
    assert first.state == State.RUNNING  # its lease still holds
    assert not second.blocks.exists()
    Experiment.objects.filter(pk=first.pk).update(lease_until=late)
    tasks.look()
    wait_until(lambda: is_seen(second), within_s=60, what="the next is measured")
    first.refresh_from_db()
    assert (first.state, first.verdict) == (State.INTERRUPTED, "")

    process = runner(worker, second)
    assert running.cancel(second.pk, ACTOR)
    wait_until(lambda: not process.is_running(), within_s=60, what="its process ends")
    second.refresh_from_db()
    assert (second.state, second.verdict) == (State.CANCELLED, "")
    assert 2 < second.blocks.count() < 4 * PAIRS
