"""Gates over series in Postgres: judged by what was measured, and by nothing that was not."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from django.db import connection

from console.experiments.claims import claims
from console.experiments.models import Experiment, State
from console.roadmap import seen, status
from console.roadmap.gates import standing
from console.roadmap.gates.judged import Judged
from console.roadmap.status import Finding
from monitoring.history.figures import Figure
from monitoring.models import Alert
from tests.gates.written import LAST, answers, counter, gauge, now, write

pytestmark = pytest.mark.usefixtures("empty_history")

QUICK = {0.025: 0.6, 0.05: 0.93, 0.06: 0.96, 0.08: 0.999, 0.1: 1.0}


def gates(at: datetime) -> dict[str, Judged]:
    return {one.id: one for one in standing.judge_all(now=at)}


def an_hour(at: datetime, *moments: Iterable[int], **more: Any) -> None:
    said: dict[str, Any] = {"each": 20, "within": QUICK, "mean_s": 0.03}
    for part in moments or (range(-1, LAST),):
        write(at, part, lambda moment: answers(moment + 1, **(said | more)))


def test_percentiles_of_an_hour_are_judged_by_the_difference_of_its_buckets() -> None:
    at = now()
    an_hour(at)
    found = gates(at)
    p95, p50 = found["roadmap.kpi.2"], found["roadmap.kpi.1"]
    assert (p95.state, p95.wanted, p95.unit) == ("pass", "< 60", "ms")
    assert p95.value == pytest.approx(50 + 10 * 2 / 3, abs=0.1)
    assert p95.samples == pytest.approx(LAST * 20, rel=0.02)
    assert "between 50 and 60 ms" in p95.why
    assert (p50.state, found["roadmap.kpi.3"].state) == ("pass", "pass")
    assert found["bottlenecks.3.api_p99"].state == "fail"
    # Below 80 ms are 99.9 %, below 60 only 96: a target of 70 would lie between.
    assert found["roadmap.kpi.3"].value == pytest.approx(75, abs=1)
    assert p95.link == "/"


def test_what_lies_within_a_bucket_has_no_verdict() -> None:
    at = now()
    an_hour(at, within={0.1: 0.9, 0.15: 1.0, 0.25: 1.0})
    one = gates(at)["bottlenecks.1.api_p99"]
    assert one.state == "pass"
    assert one.value == pytest.approx(145, abs=1)
    assert gates(at)["roadmap.kpi.3"].state == "fail"
    measured = standing.measured(at)["roadmap.api_p99"]
    # 140 ms of the first week lie between 100 and 150.
    assert measured.reached == ()
    assert measured.meets is False


def test_a_fleet_without_history_has_no_data() -> None:
    found = gates(now())
    of_series = [one for one in found.values() if one.window_s]
    assert of_series
    assert {one.state for one in of_series} == {"no_data"}
    assert {one.value for one in of_series} == {None}
    assert found["fixpack.kpi.1"].state == "not_measurable"


def test_ten_minutes_of_an_hour_are_no_hour() -> None:
    at = now()
    an_hour(at, range(LAST - 60, LAST))
    one = gates(at)["roadmap.kpi.2"]
    assert one.state == "no_data"
    assert one.why.startswith("Of the last 1 h 1")
    assert one.why.endswith("80% is the least.")


def test_a_gap_within_its_share_is_no_obstacle() -> None:
    at = now()
    an_hour(at, range(-1, 200), range(250, LAST))
    assert gates(at)["roadmap.kpi.2"].state == "pass"


def test_what_ended_ten_minutes_ago_says_nothing_of_now() -> None:
    at = now()
    an_hour(at, range(-1, LAST - 60))
    one = gates(at)["roadmap.kpi.2"]
    assert one.state == "no_data"
    assert one.why == "Nothing was measured for 10 min."


def test_few_requests_say_nothing_of_the_hundredth() -> None:
    at = now()
    an_hour(at, each=1)
    found = gates(at)
    assert found["roadmap.kpi.2"].state == "pass"
    p99 = found["roadmap.kpi.3"]
    assert p99.state == "no_data"
    assert p99.why.endswith("requests in the last 1 h; 1000 is the least.")


def test_a_counter_that_began_again_takes_nothing_away() -> None:
    at = now()

    def errors(moment: int) -> list[Figure]:
        # The fleet's counters were lost in the middle.
        since = moment if moment < 180 else moment - 180
        return [counter("http.all", 20.0 * since), counter("http.failed", 0.05 * since)]

    write(at, range(-1, LAST), errors)
    one = gates(at)["roadmap.kpi.4"]
    assert one.state == "pass"
    assert one.value == pytest.approx(0.25)


def test_gauges_by_their_highest() -> None:
    at = now()
    write(
        at,
        range(LAST),
        lambda moment: [
            gauge("db.pool_used", 0.9 if moment == 100 else 0.2),
            gauge("breakers.open", 0),
            counter("rpc.all", 10.0 * moment),
        ],
    )
    found = gates(at)
    pool, breakers = found["roadmap.kpi.7"], found["roadmap.kpi.15"]
    assert pool.state == "fail"
    assert pool.value == pytest.approx(90)
    assert (breakers.state, breakers.value) == ("pass", 0)


def test_memory_is_what_processes_and_the_cache_server_take_and_is_priced() -> None:
    at = now()
    both = [gauge("processes.memory_bytes", 3e9), gauge("valkey.used_bytes", 1e9)]
    write(at, range(LAST), lambda _: both)
    assert gates(at)["roadmap.kpi.17"].value == pytest.approx(4)
    assert standing.memory_mb(at) == pytest.approx(4000)
    assert standing.memory_mb(at - timedelta(days=1)) is None


def test_history_that_is_locked_is_no_data_and_soon_told(db: None) -> None:
    with psycopg.connect(**_server()) as second:
        second.execute("LOCK TABLE monitoring_series IN ACCESS EXCLUSIVE MODE")
        found = gates(now())
        second.rollback()
    assert found["roadmap.kpi.2"].state == "no_data"
    assert found["roadmap.kpi.2"].why == "The history cannot be read now."
    assert found["roadmap.1.delivered"].state == "pass"


def _server() -> dict[str, Any]:
    told = connection.settings_dict
    return {
        "host": told["HOST"], "port": told["PORT"] or None, "dbname": told["NAME"],
        "user": told["USER"], "password": told["PASSWORD"] or None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("silent", "down", "state"), [(0, 0, "pass"), (3, 0, "no_data"), (0, 3, "fail")]
)
def test_a_day_is_up_by_its_minutes_and_not_by_its_answers(
    silent: int, down: int, state: str
) -> None:
    at = now().replace(second=0)
    minutes = [each for each in range(LAST - 1_440, LAST) if not 0 <= each < silent]
    write(
        at, minutes, step_s=60, figures=lambda minute: [
            gauge("postgres.up", not 0 <= minute < down), gauge("processes.web.rss_bytes", 1e8)
        ],
    )  # fmt: skip
    one = gates(at)["bottlenecks.3.uptime"]
    assert (one.state, one.wanted, one.window_s) == (state, ">= 99.9", 86_400)


def watched(at: datetime) -> None:
    """Two weeks of hours."""
    write(at, range(LAST), lambda _: [gauge("postgres.up", 1)], step_s=3_600)


def alert(at: datetime, **more: Any) -> Alert:
    said: dict[str, Any] = {
        "rule": "cache.down", "group": "cache", "severity": "critical", "state": "cleared",
        "began_at": at - timedelta(hours=30), "fired_at": at - timedelta(hours=30),
        "cleared_at": at - timedelta(hours=29),
    }  # fmt: skip
    return Alert.objects.create(**(said | more))


def test_a_week_without_a_critical_alert_that_was_watched_passes() -> None:
    at = now()
    watched(at)
    alert(at, severity="warning")
    alert(at, fired_at=at - timedelta(days=8), cleared_at=at - timedelta(days=7, hours=20))
    alert(at, rule="rpc.errors", state="pending", fired_at=None, cleared_at=None)
    one = gates(at)["roadmap.end.stable"]
    assert (one.state, one.value, one.window_s) == ("pass", 0, 604_800)


def test_one_that_fired_within_the_week_or_fires_still_fails() -> None:
    at = now()
    alert(at)
    assert gates(at)["roadmap.end.stable"].state == "fail"
    Alert.objects.all().delete()
    alert(at, state="firing", fired_at=at - timedelta(days=40), cleared_at=None)
    one = gates(at)["roadmap.end.stable"]
    assert one.state == "fail"
    Alert.objects.all().delete()
    # It began before the week and ended in it.
    alert(at, fired_at=at - timedelta(days=8), cleared_at=at - timedelta(days=1))
    one = gates(at)["roadmap.end.stable"]
    assert (one.state, one.why) == ("fail", "1 critical fired or still did: cache.down.")


def experiment(key: str, verdict: str, effect: dict[str, float]) -> None:
    claim = claims()[key]
    Experiment.objects.create(
        claim=key, claimed=msgspec.to_builtins(claim), optimisations=list(claim.optimisations),
        flag=claim.flag, baseline=claim.baseline, treatment=claim.treatment, pairs=8, seed=1,
        state=State.DONE, actor="Ada", verdict=verdict, why="measured", ended_at=now(),
        found={"effect": effect, "means": {"baseline": 1.0, "treatment": 12.0}},
    )  # fmt: skip


def test_experiments_count_by_what_they_found() -> None:
    at = now()
    Experiment.objects.all().delete()
    experiment("fetch-batch", "proved", {"estimate": -0.7, "low": -0.72, "high": -0.67})
    experiment("sharing", "refuted", {"estimate": 0.0, "low": -0.01, "high": 0.01})
    experiment("breaker-time-window", "proved", {"estimate": -0.6, "low": -0.7, "high": -0.5})
    found = gates(at)
    assert found["2.4.a"].state == "pass"
    assert found["2.4.a"].value == pytest.approx(-70)
    assert found["3.1.b"].state == "fail"
    assert found["2.4.b"].state == "no_data"
    # 12 µs a call.
    assert (found["roadmap.kpi.14"].state, found["roadmap.kpi.14"].value) == ("pass", 0.012)
    told = standing.measured(at)["roadmap.kpi.14"]
    assert told.value == pytest.approx(0.012)
    assert (told.unit, told.meets) == ("ms", True)


def test_what_is_measured_of_targets_has_its_line_age_and_marks() -> None:
    at = now()
    an_hour(at)
    found = standing.measured(at)
    avg = found["roadmap.api_avg"]
    assert avg.value == pytest.approx(30)
    assert (avg.unit, avg.meets) == ("ms", True)
    assert avg.reached == ("week 1", "week 2", "week 3")
    assert avg.age_s is not None
    assert avg.age_s <= 20
    assert len(avg.points) == 48
    p95 = found["roadmap.kpi.2"]
    assert (p95.meets, p95.reached) == (True, ())
    assert {len(one.points) for one in found.values()} <= {0, 48}


def test_nothing_measured_of_a_target_says_so() -> None:
    found = standing.measured(now())
    none = found["roadmap.api_avg"]
    assert (none.value, none.meets, none.age_s, none.reached) == (None, None, None, ())
    assert none.why == "Nothing was measured in the last 1 h."
    never = found["roadmap.throughput"]
    assert (never.value, never.points) == (None, ())
    assert "another system" in never.why
    assert len(found) == 65


def test_low_traffic_meets_no_target_of_load_and_misses_none() -> None:
    at = now()
    write(at, range(-1080, LAST), lambda moment: [counter("http.all", 300.0 * (moment + 2_000))],
          step_s=60)  # fmt: skip
    one, told = gates(at)["roadmap.kpi.20"], standing.measured(at)["roadmap.kpi.20"]
    assert (told.value, told.meets) == (5, None)
    assert (one.state, one.value) == ("no_data", 5)
    assert "want of demand" in one.why


def test_of_a_phase_its_own_gates_and_of_a_programme_all() -> None:
    at = now()
    phase = standing.judge_all("roadmap.1", at)
    programme = standing.judge_all("roadmap", at)
    assert {one.phase for one in phase} == {"roadmap.1"}
    assert {one.programme for one in programme} == {"roadmap"}
    assert {one.id for one in phase} < {one.id for one in programme}
    assert "roadmap.kpi.1" in {one.id for one in programme}
    with pytest.raises(standing.UnknownPhase, match="'week 1'"):
        standing.judge_all("week 1", at)


def test_many_who_ask_at_once_cost_one_look(
    django_assert_num_queries: Any,
) -> None:
    first = standing.judge_all()
    with django_assert_num_queries(0):
        assert standing.judge_all() is first


def test_what_a_gate_found_is_told_of_each_optimisation_that_it_names() -> None:
    at = now()
    write(
        at,
        range(-1, LAST),
        lambda moment: [gauge("db.pool_used", 0.2), counter("http.all", 10.0 * (moment + 1))],
    )
    told = {(one.optimisation, one.key): one for one in standing.findings()}
    pool = told["1.1", "1.1.a"]
    assert pool == Finding(
        optimisation="1.1", kind="gate", key="1.1.a", holds=True, words=pool.words
    )
    assert pool.words.startswith("pool below 70 % used at the peak: pass. 20 % of ")
    # It cannot be measured, and keeps the optimisation open.
    assert told["1.1", "1.1.c"].holds is None
    assert status._asked["gate"] is standing.findings


def test_a_gate_that_fails_keeps_what_is_in_force_from_done() -> None:
    write(now(), range(LAST), lambda _: [gauge("db.pool_used", 0.95)])
    found = {one.key: one for one in seen.one("bn.3").status.found if one.kind == "gate"}
    assert found["bottlenecks.1.pool"].holds is False
    assert seen.one("bn.3").state is not status.State.DONE
