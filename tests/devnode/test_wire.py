"""JSON-RPC 2.0: ids, batches, notifications, and what is refused with which code."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.devnode.asking import Within, call
from validation.devnode import app, wire
from validation.devnode.chain import Chain


@pytest.mark.parametrize("ident", [1, 0, -5, 1.5, "a", "", "ü\u2028", None, 10**30, "9" * 300])
def test_the_id_comes_back_as_it_was_given(node: Within, ident: object) -> None:
    answer = node.post(call("eth_chainId", ident=ident)).json
    assert answer == {"jsonrpc": "2.0", "id": ident, "result": "0x7a69"}


@pytest.mark.parametrize("ident", [True, False, [], {}, [1]])
def test_an_id_of_another_type_is_an_invalid_request(node: Within, ident: object) -> None:
    answer = node.post(call("eth_chainId", ident=ident)).json
    assert answer["id"] is None
    assert answer["error"]["code"] == -32600


def test_a_batch_is_answered_call_by_call_in_order(node: Within) -> None:
    batch = [call("eth_chainId", ident=7), call("eth_nothing", ident="x"), 3, call("net_version")]
    answers = node.post(batch).json
    assert [answer["id"] for answer in answers] == [7, "x", None, 1]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        None,
        -32601,
        -32600,
        None,
    ]


def test_a_notification_gets_no_answer(node: Within) -> None:
    silent = {"jsonrpc": "2.0", "method": "eth_chainId"}
    answer = node.post(silent)
    assert (answer.status, answer.body) == (204, b"")
    assert node.post([silent, {**silent, "method": "none"}]).status == 204
    assert [a["id"] for a in node.post([silent, call("eth_chainId", ident=4)]).json] == [4]


def test_a_broken_notification_with_named_parameters_stays_silent(node: Within) -> None:
    silent = {"jsonrpc": "2.0", "method": "eth_chainId", "params": {"a": 1}}
    assert node.post([silent, call("eth_chainId", ident=4)]).json[0]["id"] == 4


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"", -32700, "parse error"),
        (b"{", -32700, "parse error"),
        (b"[1,", -32700, "parse error"),
        (b'{"a":NaN}', -32700, "parse error"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, "parse error"),
        (b"[" * 100_000, -32700, "parse error"),
        (b"[]", -32600, "the batch is empty"),
        (b" [ ] ", -32600, "the batch is empty"),
        (b"3", -32600, "a call must be an object"),
        (b"{}", -32600, '"jsonrpc" must be "2.0"'),
        (b'{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', -32600, '"jsonrpc" must be "2.0"'),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600, '"method" must be a string'),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":1}', -32600, '"params" must be a list'),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{}}', -32602, "by position"),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_none"}', -32601, "'eth_none' does not exist"),
    ],
)
def test_what_is_not_a_call_is_refused(node: Within, body: bytes, code: int, says: str) -> None:
    error = node.post(body).json["error"]
    assert error["code"] == code
    assert says in error["message"]


def test_blanks_around_and_missing_parameters_do_no_harm(node: Within) -> None:
    for body in (
        b' \n{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":null,"more":[1]}',
    ):
        assert node.post(body).json["result"] == "0x7a69"
    assert node.post(b'\t[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}]').json[0]["id"] == 1


def test_any_path_is_the_node_because_keys_ride_in_paths(node: Within) -> None:
    assert node.post(call("eth_chainId"), "/v3/some-key").json["result"] == "0x7a69"


def test_too_many_calls_are_one_limit_error(node: Within) -> None:
    error = node.post([call("eth_chainId")] * (wire.MOST_CALLS + 1)).json["error"]
    assert error["code"] == -32005
    assert len(node.post([call("eth_chainId")] * wire.MOST_CALLS).json) == wire.MOST_CALLS


def test_a_body_too_long_is_a_limit_error(node: Within) -> None:
    body = b" " * app.MOST_BODY_BYTES + json.dumps(call("eth_chainId")).encode()
    assert node.post(body).json["error"]["code"] == -32005


def test_a_reply_too_long_ends_in_limit_errors(
    chain: Chain, node: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_REPLY_BYTES", 50_000)
    answers = node.post([call("eth_getBlockByNumber", "0x64", True)] * 20).json
    assert "result" in answers[0]
    assert answers[-1]["error"]["code"] == -32005


def test_a_long_method_name_is_cut(node: Within) -> None:
    assert len(node.error("x" * 10_000)[1]) < 120


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("HEAD", "/", 200), ("GET", "/other", 404), ("PUT", "/", 405)],
)
def test_other_requests(node: Within, method: str, path: str, status: int) -> None:
    assert node.post(b"", path, method).status == status


def test_the_line_for_people(node: Within) -> None:
    assert "13240 transactions" in node.get("/").body.decode()


def test_another_protocol_is_refused(node: Within) -> None:
    async def never() -> dict[str, object]:
        raise AssertionError

    async def ignored(message: object) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="HTTP only"):
        asyncio.run(_awaited(node, never, ignored))


async def _awaited(node: Within, receive: object, send: object) -> None:
    await node.app({"type": "websocket"}, receive, send)  # type: ignore[arg-type]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_likely = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | _json,
        "id": _json,
        "method": st.sampled_from(["eth_getBalance", "eth_getProof", "eth_getBlockReceipts"])
        | _json,
        "params": st.lists(_json, max_size=4) | _json,
    },
)


@given(st.lists(_likely | _json, max_size=5) | _likely | _json)
def test_any_json_gets_an_answer_of_the_right_shape(body: object) -> None:
    answer = Within(app.create_app(_SHARED)).post(body)
    assert answer.status in (200, 204)
    if answer.status == 200:
        answers = answer.json if isinstance(answer.json, list) else [answer.json]
        for one in answers:
            assert one["jsonrpc"] == "2.0"
            assert ("result" in one) != ("error" in one)


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    assert Within(app.create_app(_SHARED)).post(body).status in (200, 204)


_SHARED = Chain.load()
