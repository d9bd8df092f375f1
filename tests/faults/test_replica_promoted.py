"""A replica that is promoted is read by nobody: told once, shown, and over once it follows."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console.database import ReplicaUrl
from console.embedded.cluster import Cluster
from console.replicas.looking import look
from console.replicas.watch import Watch
from tests.database.conftest import KEPT
from tests.faults.conftest import See
from tests.faults.scene import Scene
from tests.fleet import wait_until
from tests.replicas.conftest import ask
from tests.services import FOLDER

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unseen")]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)  # servers that root starts run as another user
    with Cluster.under(folder, settings=KEPT, replicas=1) as cluster:
        yield cluster
    shutil.rmtree(folder, ignore_errors=True)


def test_it_is_told_once_shown_and_over(cluster: Cluster, see: See) -> None:
    (replica,) = cluster.replicas
    urls = {"default": cluster.dsn, replica.label: replica.url}
    watch = Watch(
        [ReplicaUrl(label=replica.label, url=replica.url, weight=1)],
        ask=lambda alias: look(psycopg.conninfo.conninfo_to_dict(urls[alias])),
    )

    def in_use() -> bool:
        watch.turn()
        return watch.standing()[0].in_use

    scene = Scene()
    try:
        wait_until(in_use, within_s=20, what="it is read from")
        scene.look()
        ask(replica.url, "SELECT pg_promote()")
        wait_until(lambda: not in_use(), within_s=20, what="it is left")
        alert = scene.until("replica.down", "firing", most=5)
        assert alert.subject == replica.label
        assert "it was promoted" in alert.words
        for _ in range(4):
            scene.look()
            watch.turn()
        assert "it was promoted" in see("/database/")
        replica.restart()  # copied anew
        wait_until(in_use, within_s=30, what="it follows again")
        scene.until("replica.down", "cleared")
        scene.told_once("replica.down")
    finally:
        watch.stop()
