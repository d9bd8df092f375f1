"""Counters of many processes, added up."""

from itertools import accumulate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from monitoring.samples import Sample, less, read, total


def bucket(bound: str, count: float, **labels: str) -> Sample:
    return Sample("h_bucket", {**labels, "le": bound}, count)


def test_a_registry_is_read_without_the_moments_of_creation() -> None:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", ["method"], registry=registry).labels("head").inc(3)
    Histogram("took", "Seconds.", buckets=(1, 2), registry=registry).observe(1.5)
    assert {sample.series: sample.value for sample in read(registry)} == {
        ("calls_total", (("method", "head"),)): 3,
        ("took_bucket", (("le", "1.0"),)): 0,
        ("took_bucket", (("le", "2.0"),)): 1,
        ("took_bucket", (("le", "+Inf"),)): 1,
        ("took_count", ()): 1,
        ("took_sum", ()): 1.5,
    }


def test_series_are_added_up_by_name_and_labels() -> None:
    one = (Sample("calls", {"a": "1", "b": "2"}, 1), Sample("calls", {"a": "2"}, 10))
    other = (Sample("calls", {"b": "2", "a": "1"}, 4),)
    found = {sample.series: sample.value for sample in total([one, other])}
    assert found == {
        ("calls", (("a", "1"), ("b", "2"))): 5,
        ("calls", (("a", "2"),)): 10,
    }


def test_less_leaves_what_came_since() -> None:
    before = (Sample("calls", {"a": "1"}, 2),)
    now = (Sample("calls", {"a": "1"}, 5), Sample("calls", {"a": "2"}, 1))
    assert [sample.value for sample in less(now, before)] == [3, 1]


def test_a_release_with_other_bounds_is_added_at_the_bound_below() -> None:
    old = (bucket("1.0", 2), bucket("+Inf", 5))
    new = (bucket("1.0", 1), bucket("2.5", 4), bucket("+Inf", 4))
    found = {sample.labels["le"]: sample.value for sample in total([old, new])}
    assert found == {"1.0": 3, "2.5": 6, "+Inf": 9}


bounds = st.sets(st.sampled_from(["0.1", "0.5", "1.0", "2.0", "10.0"])).map(
    lambda found: [*sorted(found, key=float), "+Inf"]
)


@st.composite
def histograms(draw: st.DrawFn) -> tuple[Sample, ...]:
    kind = draw(st.sampled_from("ab"))
    names = draw(bounds)
    counts = accumulate(draw(st.lists(st.integers(0, 5), min_size=6, max_size=6)))
    return tuple(bucket(bound, n, kind=kind) for bound, n in zip(names, counts, strict=False))


@given(st.lists(histograms(), max_size=6))
def test_whatever_bounds_meet_the_sum_is_a_histogram(parts: list[tuple[Sample, ...]]) -> None:
    summed = total(parts)
    for kind in "ab":
        stack = [s for s in summed if s.labels["kind"] == kind]
        ordered = sorted(stack, key=lambda s: float(s.labels["le"]))
        counts = [s.value for s in ordered]
        assert counts == sorted(counts)
        whole = sum(p[-1].value for p in parts if p[-1].labels["kind"] == kind)
        assert (counts[-1] if counts else 0) == whole


@pytest.mark.parametrize("text", ['["h_bucket",{},1]', '["h_bucket",{"le":"many"},1]'])
def test_a_bucket_without_a_bound_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Sample)
