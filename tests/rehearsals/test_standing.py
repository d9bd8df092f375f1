"""What drills have shown: the newest verdict on this code counts, and nothing else poses as one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from console.rehearsals import findings, standing
from console.rehearsals.models import State
from console.roadmap import status
from console.roadmap.status import Finding
from tests.rehearsals.made_up import drilled
from tests.roadmap.test_status import flag, of

pytestmark = pytest.mark.django_db


def of_codec() -> standing.Rehearsed:
    found = standing.of("cache.codec", "gzip")
    assert found is not None
    assert standing.newest()["cache.codec", "gzip"].id == found.id
    return found


def test_nothing_is_known_of_what_was_never_rehearsed() -> None:
    drilled(target="zstd")
    assert standing.of("cache.codec", "gzip") is None
    assert ("cache.codec", "gzip") not in standing.newest()
    assert standing.words_of("cache.codec", "gzip") == "not rehearsed"


@pytest.mark.parametrize("state", [State.NOT_RUN, State.INTERRUPTED, State.QUEUED])
def test_what_came_to_no_verdict_does_not_cover_one(state: State) -> None:
    good = drilled()
    drilled(state=state)
    assert (of_codec().id, of_codec().is_fresh) == (good.pk, True)


def test_the_newest_verdict_counts() -> None:
    drilled()
    drilled(state=State.FAILED)
    assert (of_codec().is_one_way, of_codec().is_fresh) == (True, False)
    assert "failed. 4 of 20 entries cannot be read." in of_codec().words
    drilled()
    assert of_codec().is_fresh
    assert of_codec().words.endswith("UTC: passed, the baseline back in 0.012 s")


@pytest.mark.parametrize("state", [State.NOT_RUN, State.INTERRUPTED, State.RUNNING])
def test_what_failed_once_is_no_verdict_and_takes_back_what_had_passed(state: State) -> None:
    drilled()
    drilled(code="other")
    drilled(state=state, restored_s=None)
    assert (of_codec().code_revision, of_codec().is_fresh) == ("other", False)
    drilled()
    assert of_codec().is_fresh
    failed = drilled(state=State.FAILED)
    drilled(state=State.NOT_RUN, restored_s=None)
    assert (of_codec().id, of_codec().is_one_way) == (failed.pk, True)


def test_one_on_this_code_goes_before_a_newer_one_on_other_code() -> None:
    failed = drilled(state=State.FAILED)
    drilled(code="other")
    assert (of_codec().id, of_codec().is_one_way) == (failed.pk, True)


def test_other_code_is_said_and_neither_fresh_nor_refused() -> None:
    drilled(code="other")
    assert not of_codec().is_fresh
    assert ", on other code: passed" in of_codec().words
    drilled(code="another", state=State.FAILED)
    assert (of_codec().passed, of_codec().is_one_way) == (False, False)


def test_a_week_later_it_is_to_be_rehearsed_anew() -> None:
    drilled(ended_at=timezone.now() - standing.GOOD_FOR + timedelta(minutes=1))
    assert of_codec().is_fresh
    drilled(ended_at=timezone.now() - standing.GOOD_FOR - timedelta(minutes=1))
    assert not of_codec().is_fresh


def test_what_waits_is_told_by_its_flag_and_target() -> None:
    drilled()
    assert standing.waiting() is None
    queued = drilled(state=State.QUEUED)
    assert standing.waiting() == standing.waiting("cache.codec", "gzip") == queued
    assert standing.waiting("cache.codec", "zstd") is None


def test_optimisations_are_told_of_the_variants_that_they_ask_for() -> None:
    drilled(target="gzip", state=State.FAILED)
    drilled(target="zstd", code="other", state=State.FAILED)
    drilled(target="brotli")
    drilled(flag="db.pool_formula", target="cpu4_100")
    found = status.findings()
    of_codec = {one.key: one.holds for one in found["1.4"] if one.kind == "drill"}
    assert of_codec == {
        "cache.codec=gzip": False, "cache.codec=zstd": None, "cache.codec=brotli": True,
    }  # fmt: skip
    pools = [one.optimisation for one in findings.told() if one.key == "db.pool_formula=cpu4_100"]
    assert "io.1" in pools
    assert "bn.3" not in pools


def test_that_it_can_be_taken_back_does_not_make_it_done() -> None:
    drill = Finding(optimisation="1.4", kind="drill", key="d", holds=True, words="passed")
    shown = Finding(optimisation="1.4", kind="evidence", key="e", holds=True, words="measured")
    everywhere = flag(stage=100)
    assert of("1.4", everywhere, found=(drill,)).state is status.State.IN_FORCE
    assert of("1.4", everywhere, found=(drill, shown)).state is status.State.DONE
