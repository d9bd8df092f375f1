"""Every lie is told, changes what it says it changes, and leaves the truth intact afterwards."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.devnode.asking import Asked, Over, Within, call
from validation.devnode import consensus
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings
from validation.devnode.lies import LIES


@pytest.fixture(scope="module")
def everything(chain: Chain) -> list[dict[str, object]]:
    """A batch in which every lie finds something to lie about."""
    receipts = {tx: json.loads(text) for tx, text in chain.receipt_json.items()}
    logged = next(tx for tx, receipt in receipts.items() if receipt["logs"])
    creation = next(tx for tx, receipt in receipts.items() if receipt["contractAddress"])
    account = next(a for a in chain.accounts.values() if a.code != "0x" and a.storage)
    coded, slot = account.address, next(iter(account.storage))
    asked: list[tuple[Any, ...]] = [("eth_chainId",), ("eth_blockNumber",)]
    for tx in (logged, creation):
        asked += [("eth_getTransactionByHash", tx), ("eth_getTransactionReceipt", tx)]
    asked += [("eth_getBlockByNumber", "0x64", full) for full in (True, False)]
    asked += [("eth_getBlockByNumber", tag, False) for tag in ("latest", "finalized")]
    asked += [("eth_getBlockReceipts", "0x64"), ("eth_getProof", coded, [slot], "latest")]
    asked += [("eth_getBlockByHash", chain.blocks[100], True)]
    asked += [
        (method, coded, "latest")
        for method in ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
    ]
    return [call(method, *params, ident=i) for i, (method, *params) in enumerate(asked)]


def answers(asked: Asked) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return asked.json
    return None


def test_there_are_at_least_twenty_each_described() -> None:
    assert len(LIES) >= 20
    for name, lie in LIES.items():
        assert lie.name == name
        assert lie.says
        assert lie.caught_by
        assert lie.promises
        assert lie.why or lie.level == 0
        assert [lie.result, lie.answers, lie.body].count(None) == 2
    assert len({lie.says + lie.caught_by for lie in LIES.values()}) > len(LIES) * 0.9


@pytest.mark.parametrize("name", LIES)
def test_each_lie_is_told_counted_and_forgotten(
    chain: Chain, everything: list[dict[str, object]], name: str
) -> None:
    node = Within(create_app(chain, final=300))
    truth = node.post(everything)
    node.control(lie=name)
    told = node.post(everything)
    assert (told.status, told.body) != (truth.status, truth.body)
    assert node.counters["lies_told"] >= 1
    node.control(lie=None)
    assert node.post(everything).body == truth.body


@pytest.mark.parametrize("name", [n for n, lie in LIES.items() if lie.result])
def test_a_lie_about_results_keeps_ids_and_form(
    chain: Chain, everything: list[dict[str, object]], name: str
) -> None:
    node = Within(create_app(chain, final=300))
    truth = node.post(everything).json
    node.control(lie=name)
    told = node.post(everything).json
    assert [a["id"] for a in told] == [a["id"] for a in truth]
    assert any(a["result"] != b["result"] for a, b in zip(told, truth, strict=True))
    # One that is told of a single call is the same as in a batch.
    for index in (2, 3, 6, 9):
        assert node.post(everything[index]).json == told[index]


@pytest.mark.parametrize("name", ["tx-value", "tx-input", "tx-nonce", "tx-gas", "tx-signature"])
def test_an_altered_transaction_no_longer_hashes_to_its_hash(node: Within, name: str) -> None:
    block = node.result("eth_getBlockByNumber", "0x64", True)
    node.control(lie=name)
    for tx in block["transactions"]:
        told = node.result("eth_getTransactionByHash", tx["hash"])
        assert told["hash"] == tx["hash"]
        assert consensus.envelope(told) != consensus.envelope(tx)


def test_the_high_twin_of_a_signature_recovers_to_the_same_sender(node: Within) -> None:
    block = node.result("eth_getBlockByNumber", "0x64", True)
    node.control(lie="tx-high-s")
    for tx in block["transactions"]:
        told = node.result("eth_getTransactionByHash", tx["hash"])
        assert int(told["s"], 16) > 2**255
        assert consensus.sender(told) == tx["from"]


def test_a_relabelled_receipt_is_another_in_disguise(node: Within, chain: Chain) -> None:
    tx = chain.transactions[5000]
    truth = node.result("eth_getTransactionReceipt", tx)
    node.control(lie="receipt-relabelled")
    told = node.result("eth_getTransactionReceipt", tx)
    for name in ("transactionHash", "blockHash", "transactionIndex", "from", "to", "type"):
        assert told[name] == truth[name]
    assert told["cumulativeGasUsed"] != truth["cumulativeGasUsed"]


@pytest.mark.parametrize("name", ["block-state-root", "block-base-fee", "block-swapped-roots"])
def test_an_altered_header_no_longer_hashes_to_its_hash(node: Within, name: str) -> None:
    node.control(lie=name)
    told = node.result("eth_getBlockByNumber", "0x64", False)
    assert "0x" + consensus.header_hash(told).hex() != told["hash"]


def test_shuffled_answers_are_the_truth(node: Within, everything: list[dict[str, object]]) -> None:
    truth = node.post(everything).json
    node.control(lie="shuffled")
    assert node.post(everything).json == truth[::-1]


def test_ids_are_lied_about(node: Within) -> None:
    batch = [call("eth_chainId", ident=5), call("net_version", ident="a")]
    seen = {}
    for name in ("wrong-id", "retyped-id", "missing-id", "duplicate-id", "crossed-ids"):
        node.control(lie=name)
        seen[name] = [answer.get("id", "none") for answer in node.post(batch).json]
    assert seen == {
        "wrong-id": [6, "ax"],
        "retyped-id": ["5", "a"],
        "missing-id": ["none", "none"],
        "duplicate-id": [5, 5],
        "crossed-ids": ["a", 5],
    }


def test_answers_are_left_out_or_doubled(node: Within) -> None:
    batch = [call("eth_chainId", ident=5), call("net_version", ident=6)]
    node.control(lie="missing-answer")
    assert [a["id"] for a in node.post(batch).json] == [5]
    assert node.post(call("eth_chainId")).json == {}
    node.control(lie="duplicate-answer")
    assert [a["id"] for a in node.post(batch).json] == [5, 6, 5]


@pytest.mark.parametrize("name", ["not-json", "html", "truncated", "nesting-bomb"])
def test_some_bodies_are_not_json(
    node: Within, everything: list[dict[str, object]], name: str
) -> None:
    node.control(lie=name)
    assert answers(node.post(everything)) is None


def test_nan_is_the_only_thing_wrong_with_nan(node: Within) -> None:
    node.control(lie="nan")
    body = node.post([call("eth_chainId"), call("net_version")]).body
    assert body.count(b"NaN") == 1
    assert json.loads(body.replace(b"NaN", b"1"))[0]["result"] == 1


def test_statuses_are_lied_about(node: Within) -> None:
    node.control(lie="redirect")
    answer = node.post(call("eth_chainId"))
    assert (answer.status, answer.headers["location"]) == (307, "http://127.0.0.1:9/")
    node.control(lie="bad-gateway")
    assert node.post(call("eth_chainId")).status == 502


def test_a_huge_body_comes_in_pieces_over_a_socket(
    chain: Chain, serving: Callable[[App], Over]
) -> None:
    node = serving(create_app(chain, Controls(settings=Settings(lie="huge-body"))))
    connection = node.connection()
    connection.request("POST", "/", json.dumps(call("eth_chainId")))
    response = connection.getresponse()
    assert response.getheader("content-length") is None
    assert len(response.read(5_000_000)) == 5_000_000
    node.close()  # a client that has had enough does the node no harm
    again = Over(node.url)
    again.post({"lie": None}, "/_control")
    assert again.post(call("eth_chainId")).json["result"] == "0x7a69"
    again.close()


def test_a_notification_is_nothing_to_lie_about(node: Within) -> None:
    for lie in ("tx-value", "wrong-id", "not-json"):
        node.control(lie=lie)
        silent = node.post({"jsonrpc": "2.0", "method": "eth_chainId"})
        assert (silent.status, silent.body) == (204, b"")


def test_errors_stay_errors_under_a_lie(node: Within) -> None:
    node.control(lie="tx-value")
    assert node.error("eth_nothing")[0] == -32601
