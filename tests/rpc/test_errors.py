"""Every error says why, who, and what may be done; and survives being sent to another process."""

import pickle

import pytest

from validation.rpc import CallRefused, HttpStatus, RpcError
from validation.rpc import errors as module

KINDS = [
    kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, RpcError)
]


def made(kind: type[RpcError]) -> RpcError:
    if issubclass(kind, HttpStatus):
        return kind("words", status=503, node="n:1", retry_after_s=2)
    if issubclass(kind, CallRefused):
        return kind("words", code=-32603, node="n:1")
    return kind("words", node="n:1", retry_after_s=2)


def test_reasons_are_distinct() -> None:
    assert len({kind.reason for kind in KINDS}) == len(KINDS) > 12


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_itself_after_a_journey(kind: type[RpcError]) -> None:
    error = made(kind)
    error.__cause__ = KeyError("why")
    for twin in (pickle.loads(pickle.dumps(error)), error.clone()):
        assert type(twin) is kind
        assert str(twin) == str(error) == "n:1: words"
        assert vars(twin) == vars(error)
        assert (twin.retryable, twin.trips_breaker) == (error.retryable, error.trips_breaker)
    assert error.clone().__cause__ is error.__cause__


@pytest.mark.parametrize(
    ("status", "retryable"), [(500, True), (502, True), (408, True), (400, False), (404, False)]
)
def test_a_status_from_500_on_may_pass(status: int, retryable: bool) -> None:
    assert HttpStatus("x", status=status).retryable is retryable


@pytest.mark.parametrize(
    ("code", "retryable", "trips"),
    [(-32603, True, True), (-32002, True, False), (-32000, False, False), (-32601, False, False)],
)
def test_a_refused_call_is_the_callers_unless_the_node_broke(
    code: int, retryable: bool, trips: bool
) -> None:
    error = CallRefused("x", code=code)
    assert (error.retryable, error.trips_breaker) == (retryable, trips)
