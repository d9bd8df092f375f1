"""What follows from what: by the exact label of a node, never by a part of one."""

import pytest

from monitoring.alerts import muting
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.subjects import node_of_breaker
from monitoring.snapshots import PoolReport
from tests.alerts.looking import NOON, firing
from tests.alerts.test_seen import figures, node
from tests.controls.conftest import report, worker
from validation.rpc.classes import CLASSES, breaker_name
from validation.rpc.endpoints import NodeUrl

NEIGHBOURS = [
    ("rpc-1", "rpc-10"), ("h:80", "h:8080"), ("1.2.3.4:8545", "11.2.3.4:8545"),
    ("host:443", "host:443#ab12cd"), ("host:443#ab12cd", "host:443"),
]  # fmt: skip


def muted(rule: str, subject: str, by: str) -> str:
    alert = firing(rule, subject)
    cause = firing("node.down", by, id=2)
    return muting.why_muted(alert, RULES, (alert, cause), (), NOON)


def breaker(label: str) -> str:
    return f"node:{label.replace('#', '~')}:lookup"


@pytest.mark.parametrize(("down", "other"), NEIGHBOURS)
def test_a_node_mutes_its_own_alerts_and_no_neighbour_s(down: str, other: str) -> None:
    for rule in ("rpc.latency", "node.lag"):
        assert muted(rule, down, by=down) == f"follows from node.down {down}"
        assert muted(rule, other, by=down) == ""
    assert muted("breaker.open", breaker(down), by=down) == f"follows from node.down {down}"
    assert muted("breaker.open", breaker(other), by=down) == ""
    assert muted("breaker.open", "l2", by=down) == ""
    assert muted("rpc.errors", "", by=down) == f"follows from node.down {down}"


def test_a_cause_about_nothing_in_particular_mutes_all_that_follows() -> None:
    alert = firing("db.pool_used", "db.primary")
    cause = firing("postgres.down", "", id=2)
    assert muting.why_muted(alert, RULES, (alert, cause), (), NOON) == "follows from postgres.down"


@pytest.mark.parametrize("url", ["http://h:8545", "http://h/secret", "http://[::1]:8545/key"])
def test_a_breaker_s_name_tells_its_node(url: str) -> None:
    node = NodeUrl.parse(url)
    for kind in CLASSES:
        assert node_of_breaker(breaker_name(node, kind)) == node.label.replace("#", "~")


def test_a_neighbour_s_breaker_does_not_say_that_a_busy_node_is_down() -> None:
    busy = PoolReport(
        pool="h:80", used=8, idle=0, max=8, in_flight=8, waiting=0, limit=8, limit_max=8,
        limiter="fixed",
    )  # fmt: skip
    one = node(60.0).__class__(label="h:80", in_service=True, head_age_s=60.0)
    given = worker(nodes=(one,), pools=(busy,), breakers=(report("node:h:8080:lookup", "open"),))
    assert figures("node.down", workers=(given,)) == {"h:80": None}
