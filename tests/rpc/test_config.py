"""A configuration that could not work is refused when it is made, by field and value."""

import pytest

from tests.rpc.fakes import NODE
from validation.rpc import RpcConfig


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nodes": ()}, "at least one"),
        ({"nodes": (NODE, NODE)}, "twice"),
        ({"max_in_flight": 0}, "max_in_flight: must be above 0, not 0"),
        ({"call_timeout_s": -1}, "call_timeout_s"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_wait_s": -0.1}, "batch_wait_s"),
        ({"retry_ratio": -1}, "retry_ratio"),
    ],
)
def test_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RpcConfig(**({"nodes": (NODE,)} | fields))  # type: ignore[arg-type]  # wrong on purpose
