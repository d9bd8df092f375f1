"""Who changed a flag dies before saying so; the cache server goes, then the database too; a worker
starts with neither. One fleet goes through it all.
"""

import subprocess
import sys

import msgspec
import pytest
import redis

from console.embedded.cluster import Cluster
from monitoring.snapshots import WorkerSnapshot
from tests.fleet import Fleet, wait_until
from tests.services import ROOT

KEY = "cache.codec"
WHY = "proving that it is obeyed all the same"
# A second by itself; what shares its cores may take it longer.
_WITHIN_S = 10
_DIES = f"""
import os, signal
import django
django.setup()
from console.access.audit import Actor
from console.access.roles import Role
from console.flags import acts
from monitoring import events

events.publish = lambda *topics: os.kill(os.getpid(), signal.SIGKILL)
actor = Actor(name="ada", role=Role.ADMIN, origin="cli")
acts.set_stage(actor, "{KEY}", stage=100, target="gzip", unrehearsed=True, reason="{WHY}")
"""


def in_force(fleet: Fleet) -> list[str]:
    """What each live worker says; nothing where the cache server is gone."""
    client = redis.Redis.from_url(fleet.cluster.cache.url)
    try:
        bodies = [client.get(key) for key in client.scan_iter("switchyard:worker:*")]
    except redis.ConnectionError:
        return []
    finally:
        client.close()
    known = {str(child.pid) for child in fleet.children()}
    told = [msgspec.json.decode(body, type=WorkerSnapshot) for body in bodies if body]
    return [
        flag.in_force
        for worker in told if str(worker.pid) in known
        for flag in worker.flags if flag.key == KEY
    ]  # fmt: skip


def all_say(fleet: Fleet, variant: str) -> None:
    wait_until(
        lambda: in_force(fleet) == [variant] * fleet.workers, within_s=_WITHIN_S,
        what=f"{variant} in force in every worker",
    )  # fmt: skip


def refreshed(fleet: Fleet) -> int:
    """How often a worker read flags that were new."""
    return fleet.log.read_bytes().count(b"flags.changed")


def change(fleet: Fleet, variant: str) -> None:
    fleet.manage("flag", KEY, variant, "--stage", "100", "--unrehearsed", "--reason", WHY)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_flags_are_obeyed_and_kept_whatever_is_gone(durable_cluster: Cluster) -> None:
    with Fleet(cluster=durable_cluster, worker_options=("-l", "info")) as fleet:
        all_say(fleet, "zstd-fast")

        # Killed between the commit and the event: the next turn reads it.
        died = subprocess.run(
            [sys.executable, "-c", _DIES], cwd=ROOT, env=fleet.environment, check=False
        )
        assert died.returncode == -9
        all_say(fleet, "gzip")

        # Nobody can be told by event.
        before = refreshed(fleet)
        durable_cluster.cache.stop()
        with pytest.raises(AssertionError, match="It is written"):
            change(fleet, "brotli")
        wait_until(
            lambda: refreshed(fleet) >= before + fleet.workers, within_s=_WITHIN_S,
            what="each worker has read the change without an event",
        )  # fmt: skip

        # Cut off from both, at work or starting: what was known last holds.
        durable_cluster.postgres.kill9()
        fleet.stop_worker()
        fleet.start_worker()
        durable_cluster.cache.start()
        all_say(fleet, "brotli")

        # Neither kept it from hearing what comes next, nor from working.
        durable_cluster.postgres.start()
        change(fleet, "zstd-fast")
        all_say(fleet, "zstd-fast")
        run = fleet.start_run(50)
        wait_until(lambda: fleet.finished(run), within_s=60, what="the run is done")
