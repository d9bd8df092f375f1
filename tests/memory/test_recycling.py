"""A real worker child that leaks is replaced between two chunks, and no item is lost by it."""

from pathlib import Path

import psutil
import pytest

from console.embedded.cluster import Cluster
from tests.fleet import Fleet, wait_until
from tests.memory.leaking import MARK
from tests.runs.test_kills import assert_each_item_has_exactly_one_result

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LIMIT_MB = 256


def test_a_child_past_its_limit_is_replaced_and_its_run_ends_whole(
    durable_cluster: Cluster, tmp_path: Path
) -> None:
    mark = tmp_path / "leaked-by"
    fleet = Fleet(
        cluster=durable_cluster,
        workers=2,
        worker_options=("-I", "tests.memory.leaking"),
        environment={"WORKER_MEMORY_MB": str(LIMIT_MB), MARK: str(mark)},
    )
    with fleet:
        run = fleet.start_run(20_000, level=1)
        wait_until(mark.exists, within_s=30, what="a child leaks")
        leaking = int(mark.read_text(encoding="ascii"))
        wait_until(lambda: not psutil.pid_exists(leaking), within_s=60, what="it ends")
        wait_until(lambda: len(fleet.children()) == 2, within_s=30, what="another is there")
        again = fleet.start_run(2_000, level=1)
        for each, total in ((run, 20_000), (again, 2_000)):
            wait_until(lambda run=each: fleet.finished(run), within_s=60, what="runs end")  # type: ignore[misc]
            assert_each_item_has_exactly_one_result(fleet, each, total)
        # None was thrown out of its chunk: each was claimed once, and nobody's lease ran out.
        assert fleet.rows("SELECT max(fence), max(attempts) FROM validation_chunk") == [(1, 1)]
        log = fleet.log.read_text(encoding="utf-8")
        assert log.count("worker.recycled") == 1
        assert "WorkerLostError" not in log
        assert "exited with" not in log
