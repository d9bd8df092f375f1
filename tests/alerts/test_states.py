"""One alert from figure to figure, by a clock that the test moves."""

from dataclasses import replace

import pytest

from monitoring.alerts.rules import Observation
from monitoring.alerts.states import CLEARED, FIRING, PENDING, Standing, clear_s, step
from tests.alerts.looking import a_rule, at, firing, seen

RULE = a_rule()


def walk(*figures: tuple[float, float | None], known: Standing | None = None) -> Standing | None:
    """What stands after a figure at each of these seconds."""
    for second, value in figures:
        known = step(RULE, known, seen(value), at(second))
    return known


def test_it_fires_once_it_has_lasted() -> None:
    early = walk((0, 0.85), (5, 0.85))
    assert early is not None
    assert early.state == PENDING
    late = walk((10, 0.85), known=early)
    assert late is not None
    assert (late.state, late.severity, late.fired_at) == (FIRING, "warning", at(10))
    assert late.began_at == at(0)
    assert late.threshold == 0.8


def test_one_calm_look_begins_the_hold_again() -> None:
    assert walk((0, 0.85), (5, 0.1)) is None
    found = walk((0, 0.85), (5, 0.1), (10, 0.85), (15, 0.85))
    assert found is not None
    assert found.state == PENDING


def test_critical_needs_its_own_hold_and_never_falls() -> None:
    found = walk((0, 0.85), (10, 0.95))
    assert found is not None
    assert found.severity == "warning"
    found = walk((20, 0.95), (25, 0.81), known=found)
    assert found is not None
    assert (found.severity, found.value, found.worst) == ("critical", 0.81, 0.95)


def test_what_was_critical_at_once_fires_so() -> None:
    found = walk((0, 1.0), (10, 1.0))
    assert found is not None
    assert (found.state, found.severity) == (FIRING, "critical")


def test_it_clears_once_it_has_been_calm() -> None:
    found = walk((20, 0.1), (45, 0.1), known=firing())
    assert found is not None
    assert found.state == FIRING
    found = walk((50, 0.1), known=found)
    assert found is not None
    assert (found.state, found.cleared_at) == (CLEARED, at(50))


def test_a_relapse_begins_the_calm_again() -> None:
    found = walk((20, 0.1), (45, 0.85), (50, 0.1), (75, 0.1), known=firing())
    assert found is not None
    assert found.state == FIRING


def test_a_subject_that_is_gone_is_over() -> None:
    found: Standing | None = firing()
    for second in (20, 50):
        found = step(RULE, found, None, at(second))
    assert found is not None
    assert found.state == CLEARED


@pytest.mark.parametrize(
    ("absent", "state"), [("hold", FIRING), ("clear", CLEARED), ("fire", FIRING)]
)
def test_what_is_not_known_is_as_the_rule_says(absent: str, state: str) -> None:
    rule = a_rule(absent=absent)
    found: Standing | None = firing()
    for second in range(20, 120, 5):
        found = step(rule, found, seen(None), at(second))
    assert found is not None
    assert found.state == state
    assert found.severity == ("critical" if absent == "fire" else "warning")


def test_missing_figures_fire_by_themselves_only_where_the_rule_says_so() -> None:
    assert step(a_rule(absent="hold"), None, seen(None), at(0)) is None
    assert step(a_rule(absent="fire"), None, seen(None), at(0)) is not None


def test_a_gap_proves_nothing() -> None:
    found = walk((0, 0.85), (5, None), (10, 0.85))
    assert found is not None
    assert (found.state, found.began_at) == (PENDING, at(10))
    calm = walk((20, 0.1), (30, None), (50, 0.1), known=firing())
    assert calm is not None
    assert calm.state == FIRING


def test_a_pending_one_that_nobody_sees_again_is_forgotten() -> None:
    assert walk((0, 0.85), (5, None), (35, None)) is None


def test_few_events_are_no_rate() -> None:
    rule = a_rule(least=100.0, hold_s=0.0)
    assert step(rule, None, seen(1.0, weight=99), at(0)) is None
    assert step(rule, None, seen(1.0, weight=100), at(0)) is not None


def test_below_is_a_breach_where_the_rule_says_so() -> None:
    rule = a_rule(breach="below", warning=None, critical=0.0, hold_s=0.0)
    assert step(rule, None, seen(1.0), at(0)) is None
    down = step(rule, None, seen(0.0), at(0))
    assert down is not None
    assert (down.state, down.severity, down.worst) == (FIRING, "critical", 0.0)


def test_one_that_flaps_needs_ever_longer_to_clear_but_not_for_ever() -> None:
    assert [clear_s(RULE, flaps) for flaps in (0, 1, 2, 9)] == [30, 60, 120, 900]
    found: Standing | None = replace(firing(), flaps=1)
    for second in (20, 50):
        found = step(RULE, found, seen(0.1), at(second))
    assert found is not None
    assert found.state == FIRING


def test_words_and_figures_are_the_newest() -> None:
    said = Observation(subject="db.default", value=0.85, words="7 of 8")
    found = step(RULE, None, said, at(0))
    assert found is not None
    assert (found.value, found.words, found.seen_at) == (0.85, "7 of 8", at(0))


def test_what_was_seen_while_it_was_bad_stays_in_words() -> None:
    found: Standing | None = None
    for second, value, words in (
        (0, 0.95, "9 of 10"),
        (10, 1.0, "10 of 10"),
        (15, 0.0, "0 of 10"),
        (45, 0.0, "0 of 10"),
    ):
        found = step(RULE, found, seen(value, words=words), at(second))
    assert found is not None
    assert (found.state, found.words, found.worst) == (CLEARED, "10 of 10", 1.0)
    assert (found.value, found.seen_at, found.calm_since) == (0.0, at(45), at(15))


def test_one_that_flaps_for_an_hour_fires_a_few_times_and_then_stays() -> None:
    """Twenty seconds bad, forty good, sixty times."""
    fired = 0
    flaps = 0
    known: Standing | None = None
    for second in range(0, 3600, 5):
        before = known.state if known else ""
        known = step(RULE, known, seen(0.85 if second % 60 < 20 else 0.2), at(second), flaps=flaps)
        if known is not None and known.state == CLEARED:
            flaps, known = known.flaps + 1, None
        fired += known is not None and known.state == FIRING != before
    assert fired == 2
    assert known is not None
    assert (known.state, known.flaps) == (FIRING, 1)


def test_a_clock_that_was_set_back_holds_up_neither_begin_nor_end() -> None:
    found = walk((600, 0.85), (0, 0.85), (10, 0.85))
    assert found is not None
    assert (found.state, found.began_at) == (FIRING, at(0))
    found = walk((620, 0.1), (20, 0.1), (50, 0.1), known=found)
    assert found is not None
    assert (found.state, found.cleared_at) == (CLEARED, at(50))
