"""What is told of a group, and what is not told for now."""

from dataclasses import replace
from datetime import timedelta

from monitoring.alerts.grouping import LastTold, Notice, notices, what_of
from monitoring.alerts.muting import Quiet, why_muted
from monitoring.alerts.states import CLEARED, PENDING, Standing
from tests.alerts.looking import a_rule, at, firing

RULES = {
    rule.key: rule
    for rule in (
        a_rule(),
        a_rule("db.pool_waits"),
        a_rule("postgres.down", subject="", mutes=("db.pool_used",)),
        a_rule("node.down", group="nodes", subject="node", mutes=("breaker.open",)),
        a_rule("breaker.open", group="nodes", subject="breaker"),
    )
}
CLEAR = firing(state=CLEARED, cleared_at=at(100), told="warning")


def told(*alerts: Standing, last: LastTold | None = None, second: float = 100) -> list[Notice]:
    known = {} if last is None else {"database": last}
    return list(notices(alerts, RULES, known, at(second)))


def test_all_of_a_group_are_told_at_once_the_worst_first() -> None:
    (notice,) = told(firing(), firing("db.pool_waits", id=2, severity="critical"))
    assert (notice.what, notice.severity, notice.group) == ("fired", "critical", "database")
    assert [alert.id for alert in notice.alerts] == [2, 1]
    assert notice.title == "CRITICAL About db.pool_waits: db.default (and 1 more)"
    assert "db.pool_used db.default since 2026-01-01 12:00:00 UTC" in notice.body


def test_each_group_is_told_by_itself() -> None:
    found = told(firing(), firing("node.down", "a", id=2))
    assert [notice.group for notice in found] == ["database", "nodes"]


def test_who_was_told_is_not_told_again() -> None:
    assert told(firing(told="warning")) == []
    assert told(firing(told="critical", severity="critical")) == []


def test_worse_is_told() -> None:
    (notice,) = told(firing(told="warning", severity="critical"))
    assert notice.what == "worse"
    assert notice.title.startswith("NOW CRITICAL")


def test_one_that_got_worse_is_not_told_as_new_beside_one_that_is() -> None:
    worse = firing(told="warning", severity="critical")
    (notice,) = told(worse, firing("db.pool_waits", id=2))
    assert (notice.what, [what_of(alert) for alert in notice.alerts]) == (
        "fired", ["worse", "fired"],
    )  # fmt: skip
    assert notice.title == "NOW CRITICAL About db.pool_used: db.default (and 1 more)"
    assert notice.body.count("told of as warning before") == 1


def test_what_goes_on_is_listed_apart_and_is_no_news() -> None:
    alone, (notice,) = (
        told(firing("db.pool_waits", id=2)),
        told(firing(told="warning"), firing("db.pool_waits", id=2)),
    )
    assert [alert.id for alert in notice.alerts] == [2]
    assert notice.title == "WARNING About db.pool_waits: db.default"
    news, apart = notice.body.split("\n\nNo news, and goes on:\n")
    assert "db.pool_used" not in news
    assert apart == "  warning db.pool_used db.default since 2026-01-01 12:00:00 UTC"
    # What goes on makes no other notification of it.
    assert notice.key == alone[0].key


def test_only_some_of_much_that_goes_on_are_listed() -> None:
    many = [firing(subject=f"db.{n}", id=n, told="warning") for n in range(3, 16)]
    (notice,) = told(firing("db.pool_waits", id=2), *many)
    assert notice.body.endswith("  and 3 more")


def test_muted_ones_do_not_go_on_aloud() -> None:
    muted_one = firing(told="warning", muted="silence 1")
    (notice,) = told(muted_one, firing("db.pool_waits", id=2))
    assert "goes on" not in notice.body


def test_it_is_not_over_while_the_same_fires_again() -> None:
    again = firing(id=2, told="warning")
    assert told(CLEAR, again, second=500) == []
    (notice,) = told(CLEAR, replace(again, state=CLEARED, cleared_at=at(400)), second=500)
    assert [alert.id for alert in notice.alerts] == [1, 2]


def test_pending_and_muted_ones_are_not_told() -> None:
    assert told(firing(state=PENDING), firing("db.pool_waits", id=2, muted="silence 1")) == []


def test_what_fires_shortly_after_waits_unless_it_is_worse() -> None:
    last = LastTold(at=at(90), severity="warning")
    assert told(firing(), last=last) == []
    assert len(told(firing(), last=last, second=150)) == 1
    assert len(told(firing(severity="critical"), last=last)) == 1


def test_a_warning_waits_a_little_in_case_it_becomes_critical() -> None:
    assert told(firing(fired_at=at(90)), second=104) == []
    (notice,) = told(firing(fired_at=at(90)), second=105)
    assert notice.what == "fired"
    (notice,) = told(firing(fired_at=at(90), severity="critical"), second=95)
    assert (notice.what, notice.title) == ("fired", "CRITICAL About db.pool_used: db.default")


def test_what_is_critical_takes_along_what_waits() -> None:
    waits = firing("db.pool_waits", id=2, fired_at=at(99))
    (notice,) = told(firing(fired_at=at(99), severity="critical"), waits)
    assert [alert.id for alert in notice.alerts] == [1, 2]


def test_what_was_told_at_a_time_that_is_yet_to_come_holds_up_nothing() -> None:
    """A clock was set back."""
    assert len(told(firing(), last=LastTold(at=at(700), severity="warning"))) == 1


def test_the_end_is_told_once_nothing_of_the_group_is_left_or_a_minute_later() -> None:
    (notice,) = told(CLEAR)
    assert (notice.what, notice.title) == ("cleared", "OVER About db.pool_used: db.default")
    other = firing("db.pool_waits", id=2, told="warning")
    assert told(CLEAR, other) == []
    assert len(told(CLEAR, other, second=160)) == 1


def test_the_end_of_what_nobody_was_told_of_is_told_to_nobody() -> None:
    assert told(replace(CLEAR, told="")) == []
    assert told(replace(CLEAR, told="over")) == []


def test_the_key_is_the_same_for_the_same_and_another_for_another() -> None:
    (first,), (again,) = told(firing()), told(firing(), second=500)
    assert first.key == again.key
    (worse,) = told(firing(severity="critical"))
    (other,) = told(firing(id=2))
    assert len({first.key, worse.key, other.key}) == 3


def muted(alert: Standing, *others: Standing, quiet: tuple[Quiet, ...] = ()) -> str:
    return why_muted(alert, RULES, others, quiet, at(100))


def test_what_follows_from_another_is_not_told_even_while_that_is_pending() -> None:
    down = firing("postgres.down", "", state=PENDING)
    assert muted(firing(), down) == "follows from postgres.down"
    assert muted(firing("db.pool_waits"), down) == ""
    assert muted(down, firing()) == ""


def test_a_cause_that_is_over_mutes_for_a_minute_more() -> None:
    over = firing("postgres.down", "", state=CLEARED, cleared_at=at(50))
    assert muted(firing(), over)
    assert not muted(firing(), replace(over, cleared_at=at(30)))


def test_a_node_explains_its_own_breakers_alone() -> None:
    down = firing("node.down", "10.0.0.7:8545#ab")
    mine = firing("breaker.open", "node:10.0.0.7:8545~ab:lookup")
    assert muted(mine, down)
    assert not muted(firing("breaker.open", "node:10.0.0.8:8545~cd:lookup"), down)


def test_a_silence_covers_what_it_names() -> None:
    def quiet(rule: str = "", group: str = "", subject: str = "") -> tuple[Quiet, ...]:
        ends = at(0) + timedelta(hours=1)
        return (Quiet(id=3, kind="silence", rule=rule, group=group, subject=subject, ends_at=ends),)

    assert muted(firing(), quiet=quiet("db.pool_used")) == "silence 3 until 2026-01-01 13:00 UTC"
    assert muted(firing(), quiet=quiet(group="database"))
    assert muted(firing(), quiet=quiet(subject="db.*"))
    assert muted(firing(), quiet=quiet())
    assert not muted(firing(), quiet=quiet("db.pool_waits"))
    assert not muted(firing(), quiet=quiet(group="nodes"))
    assert not muted(firing(), quiet=quiet(subject="db.replica*"))
