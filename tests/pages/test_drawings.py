"""What is drawn on the server: ribbons without invented past, a curve that its marks lie on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.pages import curve, ribbon
from console.pages.ribbon import KEPT, Record
from console.templatetags import drawings
from monitoring.snapshots import Transition

NOW = 1_700_000_000.0


def _record(*changes: Transition, **more: object) -> Record:
    said = {
        "process": "7@rack",
        "title": "rack:7",
        "state": "closed",
        "made_at": NOW - 10_000,
        "seen_at": NOW,
        "transitions": changes,
    }
    return Record(**(said | more))  # type: ignore[arg-type]


def _change(ago: float, before: str, after: str) -> Transition:
    return Transition(at=NOW - ago, before=before, after=after, cause="")


def _spans(record: Record, span_s: float = 1_000) -> list[tuple[str, float, float]]:
    lane = ribbon.lane(record, until=NOW, span_s=span_s)
    return [(s.state.word if s.state else "", s.left, s.width) for s in lane.spans]


def test_states_follow_each_other() -> None:
    record = _record(_change(500, "closed", "open"), _change(200, "open", "half_open"))
    assert _spans(record) == [
        ("Closed", 0, 50),
        ("Open", 50, 30),
        ("Half-open", 80, 20),
    ]


def test_without_a_change_it_always_was_what_it_is() -> None:
    assert _spans(_record(state="open")) == [("Open", 0, 100)]


def test_before_it_was_made_there_is_nothing() -> None:
    assert _spans(_record(made_at=NOW - 250)) == [("Closed", 75, 25)]


def test_who_does_not_tell_when_it_was_made_tells_of_nothing_before_the_first_change() -> None:
    assert _spans(_record(made_at=None)) == []
    assert _spans(_record(_change(200, "closed", "open"), made_at=None)) == [("Open", 80, 20)]


def test_after_its_last_word_nothing_is_known() -> None:
    assert _spans(_record(seen_at=NOW - 400)) == [("Closed", 0, 60)]


def test_what_was_before_the_oldest_kept_change_nobody_knows() -> None:
    full = [_change(20.0 * n, "closed", "open") for n in range(KEPT, 0, -1)]
    spans = _spans(_record(*full))
    assert spans[0] == ("", 0.0, 60.0)
    assert {word for word, _, _ in spans[1:]} == {"Open"}
    svg = str(drawings.ribbon(ribbon.lane(_record(*full), until=NOW, span_s=1_000)))
    assert svg.count("<rect") == KEPT


def test_a_moment_is_seen_too_and_a_lane_is_told_in_words() -> None:
    record = _record(_change(500, "closed", "open"), _change(499.9, "open", "closed"))
    lane = ribbon.lane(record, until=NOW, span_s=86_400)
    assert min(span.width for span in lane.spans) > 0.3
    assert lane.said.startswith("7@rack: Closed since")
    assert lane.said.endswith("changed 2 times")
    silent = ribbon.lane(_record(seen_at=NOW - 5_000), until=NOW, span_s=1_000)
    assert silent.said == "7@rack: no data"


def test_states_differ_by_height_not_by_colour_alone() -> None:
    tops = {}
    for state in ("closed", "half_open", "open"):
        svg = str(drawings.ribbon(ribbon.lane(_record(state=state), until=NOW, span_s=10)))
        tops[state] = re.search(r' height="(\d+)"', svg.partition("<rect")[2])[1]  # type: ignore[index]
    assert len(set(tops.values())) == 3


def test_every_range_has_its_ticks() -> None:
    assert ribbon.TICKS.keys() == ribbon.RANGES.keys()


CURVE = [(100, 0.1), (1_000, 0.4), (10_000, 0.7)]


def test_marks_lie_on_the_line() -> None:
    chart = curve.chart(CURVE, (1_000, 1_000))
    assert chart
    now, ahead = chart.marks
    assert (now.share, ahead.share) == (0.4, 0.7)
    points = [tuple(map(float, point.split(","))) for point in chart.line.split()]
    for mark in (now, ahead):
        assert min(abs(x - mark.x) + abs(y - mark.y) for x, y in points) < 0.02


def test_beyond_what_was_sampled_it_is_at_least_the_last() -> None:
    chart = curve.chart(CURVE, (50_000, 50_000))
    assert chart
    assert [mark.share for mark in chart.marks] == [0.7, 0.7]
    assert chart.line.endswith(f"{chart.marks[1].x:.2f},{chart.marks[1].y:.2f}")


@pytest.mark.parametrize(
    ("points", "present"),
    [([], 10), ([(10, 0.5)], 10), (CURVE, 0), ([(0, 0.0), (10, 0.5)], 10)],
)
def test_there_may_be_nothing_to_draw(points: list[tuple[int, float]], present: int) -> None:
    assert curve.chart(points, (present, present)) is None


@given(
    sizes=st.sets(st.integers(1, 10**7), min_size=2, max_size=40),
    shares=st.lists(st.floats(0, 1), min_size=40, max_size=40),
    present=st.integers(1, 10**6),
)
def test_any_curve_stays_within_its_chart(
    sizes: set[int], shares: list[float], present: int
) -> None:
    points = list(zip(sorted(sizes), sorted(shares), strict=False))
    chart = curve.chart(points, (present, present))
    assert chart
    for point in chart.line.split():
        x, y = map(float, point.split(","))
        assert -0.01 <= x <= 100.01
        assert -0.01 <= y <= 100.01
    for mark in chart.marks:
        assert 0 <= mark.x <= 100.01
        assert min(shares[:40]) <= mark.share <= 1
    assert "<svg" in str(drawings.curve_chart(chart))


def test_a_meter_says_its_share_and_where_the_limit_is() -> None:
    svg = str(drawings.limit_meter(30, 60, 45, "calls"))
    assert 'aria-label="calls 50 percent, limit at 75 percent"' in svg
    assert 'class="tick"' in svg
    assert 'class="tick"' not in str(drawings.limit_meter(30, 60, 60))
    assert str(drawings.limit_meter(1, 0)) == ""
    assert 'width="100.00"' in str(drawings.limit_meter(90, 60))
