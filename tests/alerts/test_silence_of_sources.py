"""What fires, and then nobody tells of it any more: it stands, and nobody hears that it is over."""

from typing import Any

import pytest

from monitoring.alerts import judging
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.looked import Looked
from monitoring.alerts.observed import observed
from monitoring.alerts.rows import Known
from monitoring.alerts.states import CLEARED, FIRING, Standing
from monitoring.alerts.turns import Turn
from monitoring.alerts.windows import Windows
from monitoring.collectors.told import Told
from monitoring.snapshots import NodeReport
from tests.alerts.looking import at, firing
from tests.alerts.test_seen import NODE, grown, looked, node, same, standing
from tests.controls.conftest import worker

SUBJECTS: dict[str, str] = {
    "node.down": NODE, "node.lag": NODE, "rpc.latency": NODE, "breaker.open": "l2",
    "worker.memory": "host:1", "db.pool_used": "db.default", "db.pool_waits": "db.default",
    "replica.down": "replica_1", "replica.lag": "replica_1",
}  # fmt: skip
# Every worker has fallen silent, no process tells, nobody watches replicas, history is not read.
SILENT: dict[str, Any] = {
    "workers": (worker(age_s=20.0),), "processes": (), "replicas": None, "windows": Windows(),
    "cache": Told(reachable=False),
}  # fmt: skip


def after(alert: Standing, minutes: int, **given: Any) -> Standing | None:
    """What becomes of it, looked at every five seconds."""
    now: Standing | None = alert
    for second in range(0, minutes * 60, 5):
        if now is None or now.state == CLEARED:
            return now
        now = _look(now, looked(**given), second)
    return now


def _look(alert: Standing, there_is: Looked, second: int) -> Standing | None:
    known = Known(
        open={(alert.rule, alert.subject): alert}, cleared=(), before={}, silences=(), last={},
        undelivered={},
    )  # fmt: skip
    seen = observed(there_is, within_s=1)
    changes = judging.judge(RULES, known, seen, Turn(number=1, now=at(second)))
    (found,) = (c.now for c in changes if c.was == alert)
    return found


@pytest.mark.parametrize("rule", sorted(SUBJECTS))
def test_what_fires_stands_while_nobody_tells(rule: str) -> None:
    stands = after(firing(rule, SUBJECTS[rule]), 20, **SILENT)
    assert stands is not None
    assert (stands.state, stands.calm_since) == (FIRING, None)
    assert stands.unknown_since == at(0)


def test_it_stands_also_where_the_cache_server_is_away() -> None:
    for rule, subject in SUBJECTS.items():
        stands = after(firing(rule, subject), 20, **SILENT | {"workers": None, "processes": None})
        assert stands is not None
        assert stands.state == FIRING, rule


@pytest.mark.parametrize("rule", ["node.lag", "rpc.latency"])
def test_a_node_that_dies_does_not_end_what_was_said_of_it(rule: str) -> None:
    dead = worker(nodes=(node(60.0, failures={"connect": 9}),))
    stands = after(firing(rule, NODE), 20, workers=(dead,))
    assert stands is not None
    assert stands.state == FIRING


@pytest.mark.parametrize("rule", ["node.down", "node.lag", "rpc.latency", "breaker.open"])
def test_a_node_that_is_taken_out_is_gone(rule: str) -> None:
    other = NodeReport(label="other:1", in_service=True, head_age_s=1.0, lag=0)
    ends = after(firing(rule, NODE), 5, workers=(worker(nodes=(other,)),))
    assert ends is not None
    assert ends.state == CLEARED


def test_what_is_not_configured_any_more_is_gone() -> None:
    for rule, subject, given in (
        ("replica.down", "replica_1", {"replicas": ()}),
        ("replica.lag", "replica_2", {"replicas": (standing(lag_s=0.0),)}),
        ("worker.memory", "host:1", {"workers": (worker(2),)}),
        ("pgbouncer.down", "", {"pgbouncer": None}),
    ):
        ends = after(firing(rule, subject), 5, **given)
        assert ends is not None
        assert ends.state == CLEARED, rule


@pytest.mark.parametrize("rule", ["validations.burn_fast", "rpc.errors", "http.errors"])
def test_no_traffic_is_no_end_and_a_little_that_is_well_is_one(rule: str) -> None:
    names = ("validations", "rpc", "http")
    none = {f"{name}__{part}": same(0) for name in names for part in ("all", "failed", "error")}
    stands = after(firing(rule, ""), 20, windows=grown(**none))
    assert stands is not None
    assert stands.state == FIRING
    few = none | {f"{name}__all": same(3) for name in names}
    ends = after(firing(rule, ""), 5, windows=grown(**few))
    assert ends is not None
    assert ends.state == CLEARED
