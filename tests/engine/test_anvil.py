"""A real Ethereum node, and transactions that the test signs and sends itself."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account

from tests.engine.conftest import Ask
from tests.fleet import free_port, wait_until
from validation.validators import Verdict

# The first of the accounts that anvil funds; published with it.
FUNDED = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FEES = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}


def rpc(url: str, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(
        url, body.encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    assert "error" not in answer, answer
    return answer["result"]


def is_up(url: str) -> bool:
    try:
        rpc(url, "eth_chainId")
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def node(anvil: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [anvil, "--port", str(port), "--silent"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: is_up(url), within_s=20, what="anvil answers")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def send(url: str, **fields: object) -> str:
    """Signs and sends a transaction; returns its hash once it is mined."""
    sender = Account.from_key(FUNDED)
    nonce = int(rpc(url, "eth_getTransactionCount", sender.address, "latest"), 16)
    base = {"chainId": 31337, "nonce": nonce, "gas": 200_000, "to": OTHER, "value": 7, "data": "0x"}
    signed = sender.sign_transaction(base | fields)
    sent = str(rpc(url, "eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex()))
    mined = lambda: rpc(url, "eth_getTransactionReceipt", sent) is not None  # noqa: E731 - said once
    wait_until(mined, within_s=10, what=f"{sent} is mined")
    return sent


@pytest.fixture(scope="module")
def sent(node: str) -> list[str]:
    authorization = Account.from_key(FUNDED).sign_authorization(
        {"chainId": 31337, "address": OTHER, "nonce": 10_000}
    )
    return [
        send(node, gasPrice=2 * 10**9),
        send(node, gasPrice=2 * 10**9, accessList=[], type=1),
        send(node, **FEES),
        send(node, data="0x600a600c600039600a6000f3602a60005260206000f3", to="", **FEES),
        send(node, authorizationList=[authorization], **FEES),
    ]


def test_what_it_mined_is_valid_in_its_block(node: str, sent: list[str], ask: Ask) -> None:
    outcomes = ask(node, [f"tx:{tx}" for tx in sent], chain_id=31337)
    assert [(o.verdict, o.level) for o in outcomes] == [(Verdict.VALID, 3)] * len(sent), outcomes


def test_its_blocks_and_addresses_are_valid(node: str, sent: list[str], ask: Ask) -> None:
    height = int(rpc(node, "eth_blockNumber"), 16)
    assert height >= len(sent)
    subjects = [f"block:{n}" for n in range(height + 1)] + [f"address:{OTHER}", "head"]
    assert {o.verdict for o in ask(node, subjects, level=2)} == {Verdict.VALID}


def test_what_it_does_otherwise_than_ethereum_is_no_lie(
    node: str, sent: list[str], ask: Ask
) -> None:
    """It leaves the base fee of its first block as it was, which is a development node's rule, and
    seals several blocks a second, which none is.
    """
    height = int(rpc(node, "eth_blockNumber"), 16)
    outcomes = ask(node, [f"block:{n}" for n in range(height + 1)], chain_id=31337)
    told = {check.name: check.status for check in outcomes[1].checks}
    assert told["base_fee"] == "pass"
    skipped = {
        check.name for outcome in outcomes for check in outcome.checks if check.status == "skip"
    }
    assert skipped <= {"base_fee", "timestamp"}
    assert {outcome.verdict for outcome in outcomes} <= {Verdict.VALID, Verdict.UNVERIFIABLE}
    assert not any(outcome.caught for outcome in outcomes)


def test_what_it_never_saw_is_not_found(node: str, ask: Ask) -> None:
    [outcome] = ask(node, ["tx:0x" + "ab" * 32])
    assert outcome.verdict is Verdict.NOT_FOUND


def test_another_chain_than_configured_is_refused(node: str, sent: list[str], ask: Ask) -> None:
    [outcome] = ask(node, [f"tx:{sent[0]}"], chain_id=1)
    assert outcome.verdict is Verdict.ERROR
    assert outcome.reason == "wrong_chain"
