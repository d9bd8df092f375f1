"""A real node at every level that it can support; where it cannot, the verdict says why."""

import asyncio
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from tests.engine.test_anvil import OTHER, is_up, rpc
from tests.fleet import free_port, wait_until
from validation.checkpoint import Checkpoint
from validation.engine import Engine
from validation.rpc import NodeUrl, RpcConfig
from validation.validators import Outcome, Verdict

BLOCKS, TRUSTED = 70, 30
# Stores 42 in slot 0, and its own code is one STOP.
STORES = "0x602a6000556001600c60003960016000f300"


@pytest.fixture(scope="module")
def node(anvil: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [anvil, "--port", str(port), "--silent", "--timestamp", str(int(time.time()) - 7200)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: is_up(url), within_s=20, what="anvil answers")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def mined(node: str) -> list[str]:
    """Hashes of transactions, the last of which made a contract; blocks on top of them."""
    sender = rpc(node, "eth_accounts")[0]
    fields = [{"from": sender, "to": OTHER, "value": hex(n + 1)} for n in range(3)]
    sent = [rpc(node, "eth_sendTransaction", each) for each in fields]
    sent.append(rpc(node, "eth_sendTransaction", {"from": sender, "data": STORES}))
    rpc(node, "anvil_mine", hex(BLOCKS), "0xc")
    return sent


@pytest.fixture(scope="module")
def checkpoint(node: str, mined: list[str]) -> Checkpoint:
    block = rpc(node, "eth_getBlockByNumber", hex(TRUSTED), False)
    return Checkpoint(TRUSTED, block["hash"])


def validate(
    url: str,
    subjects: Sequence[str],
    *,
    level: int | None,
    checkpoint: Checkpoint | None = None,
    other: str = "",
) -> list[Outcome]:
    nodes = tuple(NodeUrl.parse(each) for each in (url, other) if each)
    config = RpcConfig(nodes=nodes, allow_loopback=True, chain_id=31337, max_attempts=1)

    async def run() -> list[Outcome]:
        engine = Engine.on(config, checkpoint=checkpoint)
        try:
            return await engine.validate_many(subjects, level=level)
        finally:
            await engine.client.aclose()

    return asyncio.run(run())


def contract(node: str, mined: list[str]) -> str:
    return str(rpc(node, "eth_getTransactionReceipt", mined[-1])["contractAddress"])


def test_transactions_and_addresses_are_anchored(
    node: str, mined: list[str], checkpoint: Checkpoint
) -> None:
    subjects = [
        *(f"tx:{sent}" for sent in mined),
        f"address:{OTHER}",
        f"address:{contract(node, mined)}/0x0,0x1",
        "address:0x" + "ee" * 20,
    ]
    outcomes = validate(node, subjects, level=None, checkpoint=checkpoint)
    found = [(o.verdict, o.level) for o in outcomes]
    assert found == [(Verdict.VALID, 4)] * len(subjects), [o for o in outcomes if o.level < 4]


def test_blocks_above_and_below_the_checkpoint_are_anchored(
    node: str, mined: list[str], checkpoint: Checkpoint
) -> None:
    subjects = [f"block:{number}" for number in (10, TRUSTED, BLOCKS)] + ["head"]
    outcomes = validate(node, subjects, level=4, checkpoint=checkpoint)
    found = [(o.verdict, o.level) for o in outcomes]
    skipped = [check for o in outcomes for check in o.checks if check.status != "pass"]
    assert found == [(Verdict.VALID, 4)] * len(subjects), skipped


def test_a_block_by_rules_of_its_own_is_no_lie(node: str, mined: list[str]) -> None:
    """There blocks may be as old as their parents."""
    rpc(node, "anvil_setBlockTimestampInterval", 0)
    rpc(node, "anvil_mine", "0x1")
    rpc(node, "anvil_removeBlockTimestampInterval")
    number = int(rpc(node, "eth_blockNumber"), 16)
    pair = [rpc(node, "eth_getBlockByNumber", hex(n), False) for n in (number - 1, number)]
    assert pair[0]["timestamp"] == pair[1]["timestamp"]
    rpc(node, "anvil_mine", "0x1", "0xc")  # others ask for the head
    [outcome] = validate(node, [f"block:{number}"], level=3)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
    assert outcome.reason == "unknown_rules"
    assert not outcome.caught


def test_who_is_impersonated_has_signed_nothing_and_nobody_lies(
    node: str, mined: list[str]
) -> None:
    """Anvil signs with zeros, and makes the hash in a way of its own."""
    sender = "0x" + "ab" * 20
    rpc(node, "anvil_impersonateAccount", sender)
    rpc(node, "anvil_setBalance", sender, hex(10**18))
    sent = rpc(node, "eth_sendTransaction", {"from": sender, "to": OTHER, "value": "0x1"})
    # It mines a moment after it was sent.
    mined_in = partial(rpc, node, "eth_getTransactionReceipt", sent)
    wait_until(lambda: mined_in() is not None, within_s=10, what="it is mined")
    number = int(mined_in()["blockNumber"], 16)
    rpc(node, "anvil_mine", "0x1", "0xc")  # others ask for the head
    for level in (2, 3):
        outcomes = validate(node, [f"tx:{sent}", f"block:{number}"], level=level)
        assert {(o.verdict, o.level, o.reason) for o in outcomes} == {
            (Verdict.UNVERIFIABLE, 1, "unsigned")
        }, outcomes
        assert not any(outcome.caught for outcome in outcomes)
    assert validate(node, [f"tx:{sent}"], level=1)[0].verdict is Verdict.VALID


def test_its_first_state_proves_nothing_and_is_not_called_a_lie(anvil: str) -> None:
    """Its accounts have money before its first block, whose header says that there are none."""
    port = free_port()
    process = subprocess.Popen(
        [anvil, "--port", str(port), "--silent"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: is_up(url), within_s=20, what="anvil answers")
        [outcome] = validate(url, [f"address:{OTHER}"], level=3)
    finally:
        process.terminate()
        process.wait(timeout=10)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1), outcome
    assert outcome.reason == "no_state_root"


def test_one_node_makes_nothing_final(node: str, mined: list[str], checkpoint: Checkpoint) -> None:
    """Anvil calls final what is 64 blocks deep."""
    outcomes = validate(node, [f"tx:{mined[0]}", "block:20"], level=5, checkpoint=checkpoint)
    assert {(o.verdict, o.level) for o in outcomes} == {(Verdict.UNVERIFIABLE, 4)}, outcomes
    assert [o.reason for o in outcomes] == ["no_other_node", "not_final_yet"]


def test_two_nodes_make_it_final(node: str, mined: list[str], checkpoint: Checkpoint) -> None:
    """The same node under two addresses: it is two words to whoever counts nodes."""
    subjects = [f"tx:{mined[0]}", "block:8", f"address:{OTHER}"]
    outcomes = validate(node, subjects, level=5, checkpoint=checkpoint, other=f"{node}?again")
    found = [(o.verdict, o.level) for o in outcomes]
    assert found == [(Verdict.VALID, 5)] * len(subjects), outcomes


def test_without_a_checkpoint_it_is_said(node: str, mined: list[str]) -> None:
    [outcome] = validate(node, [f"tx:{mined[0]}"], level=4)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 3)
    assert outcome.reason == "no_checkpoint"


def test_another_chain_than_the_checkpoints_is_not_valid(node: str, mined: list[str]) -> None:
    [outcome] = validate(
        node, [f"tx:{mined[0]}"], level=4, checkpoint=Checkpoint(0, "0x" + "cc" * 32)
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "not_anchored")
