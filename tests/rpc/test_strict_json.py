"""What two parsers could read differently is refused; what is merely unusual is not."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rpc.fakes import NODE
from validation.rpc.errors import AnswerTooLarge, BadAnswer
from validation.rpc.strict import Refused, check_value
from validation.rpc.wire import BodyLimits, decode_batch

LIMITS = BodyLimits(max_containers=1000, max_depth=16)


def decoded(result: bytes) -> Any:
    body = b'{"jsonrpc":"2.0","id":7,"result":' + result + b"}"
    return decode_batch(body, base=7, count=1, limits=LIMITS, node=NODE)[0]


@pytest.mark.parametrize(
    "result",
    [
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"[1e400]",
        b"[-1e999]",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'[{"a":1,"a":1}]',
        b'{"b":{"a":1,"a":2}}',
        b'{"a":"x:y","a":2}',
        b'{"a":1,"\\u0061":2}',
        b"[" * 17 + b"]" * 17,
        b"[" * 500_000 + b"]" * 500_000,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b"01",
        b"[1,]",
        b"",
        b'"\\ud800"',
        b'["\xff"]',
    ],
)
def test_refused(result: bytes) -> None:
    with pytest.raises((BadAnswer, AnswerTooLarge)):
        decoded(result)


@pytest.mark.parametrize(
    "result",
    [
        b"null",
        b"1.5e3",
        b'"a:b"',
        b'{"a":"x:y"}',
        b'{"a" : 1, "b" :[{"a":1},{"a":2}]}',
        b"[" * 16 + b"]" * 16,
        b'{"":1,"a":{"":2}}',
    ],
)
def test_accepted_as_it_came(result: bytes) -> None:
    assert decoded(result) == result


def test_a_key_twice_in_the_envelope_is_refused() -> None:
    for doubled in (
        b'{"jsonrpc":"2.0","id":7,"id":7,"result":1}',
        b'{"jsonrpc":"2.0","id":7,"result":1,"result":2}',
        b'{"jsonrpc":"2.0","id":7,"result":"a:b","result":2}',
    ):
        with pytest.raises(BadAnswer, match="twice"):
            decode_batch(doubled, base=7, count=1, limits=LIMITS, node=NODE)


def test_members_that_are_not_of_the_protocol_are_ignored() -> None:
    body = b'{"jsonrpc":"2.0","id":7,"result":1,"trace":{"a":1}}'
    assert decode_batch(body, base=7, count=1, limits=LIMITS, node=NODE) == [b"1"]


def test_more_containers_than_allowed_are_not_parsed() -> None:
    with pytest.raises(AnswerTooLarge, match="1000"):
        decoded(b"[" + b"[]," * 1000 + b"[]]")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@settings(deadline=None)
def test_every_well_formed_value_passes(value: Any) -> None:
    check_value(json.dumps(value).encode(), max_depth=64)


@given(st.dictionaries(st.text(), json_values, min_size=1, max_size=4), st.data())
@settings(deadline=None)
def test_every_key_given_twice_is_found(value: dict[str, Any], data: st.DataObject) -> None:
    members = [f"{json.dumps(key)}:{json.dumps(item)}" for key, item in value.items()]
    twice = data.draw(st.sampled_from(members))
    members.insert(data.draw(st.integers(0, len(members))), twice)
    with pytest.raises(Refused):
        check_value(("{" + ",".join(members) + "}").encode(), max_depth=64)
