"""Counting by the batch tells the same as counting by the call, and stays bounded."""

from collections import Counter as Plain

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from monitoring.instruments import POOL_WAIT
from validation.rpc.metrics import RpcMetrics, observe_many, tally

METHODS = st.sampled_from(["eth_a", "eth_b", "eth_c"])


@given(st.lists(st.lists(METHODS, max_size=4).map(tuple), min_size=1, max_size=20))
def test_a_tally_counts_every_call(fetches: list[tuple[str, ...]]) -> None:
    assert tally(fetches) == Plain(name for names in fetches for name in names)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5)), max_size=20))
def test_many_observations_at_once_are_the_same_as_one_by_one(
    seen: list[tuple[float, int]],
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    buckets = (0.1, 1.0, 10.0)
    at_once = Histogram("h", "x", registry=ours, buckets=buckets)
    singly = Histogram("h", "x", registry=theirs, buckets=buckets)
    for value, count in seen:
        observe_many(at_once, value, count)
        for _ in range(count):
            singly.observe(value)
    for bound in ("0.1", "1.0", "10.0", "+Inf"):
        labels = {"le": bound}
        assert ours.get_sample_value("h_bucket", labels) == theirs.get_sample_value(
            "h_bucket", labels
        )
    assert (
        abs((ours.get_sample_value("h_sum") or 0) - (theirs.get_sample_value("h_sum") or 0)) < 1e-6
    )


def test_ever_new_nodes_do_not_fill_the_memory() -> None:
    metrics = RpcMetrics()
    for n in range(300):
        metrics.sent(f"bounded-{n}.example:80", 1, 0.0)
    named = {
        sample.labels["pool"]
        for metric in POOL_WAIT.collect()
        for sample in metric.samples
        if sample.labels["pool"].startswith("bounded-")
    }
    assert len(named) == 64
