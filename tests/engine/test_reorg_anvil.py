"""A real node reorganises its chain: the view tells which blocks left it."""

import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.engine.test_anvil import FEES, is_up, rpc, send
from tests.fleet import free_port, wait_until
from validation.engine import Engine
from validation.heads import ChainView
from validation.rpc import NodeUrl, RpcConfig
from validation.validators import BlockRef, Verdict


@pytest.fixture
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


@pytest.fixture
async def engine(node: str) -> AsyncIterator[Engine]:
    config = RpcConfig(nodes=(NodeUrl.parse(node),), allow_loopback=True, chain_id=31337)
    engine = Engine.on(config)
    yield engine
    await engine.client.aclose()


def block_at(url: str, number: int | str) -> BlockRef:
    wanted = hex(number) if isinstance(number, int) else number
    block = rpc(url, "eth_getBlockByNumber", wanted, False)
    return BlockRef(number=int(block["number"], 16), hash=block["hash"])


@pytest.mark.parametrize("depth", [1, 5])
async def test_a_reorganisation_orphans_the_blocks_of_verdicts_given_before(
    node: str, engine: Engine, depth: int
) -> None:
    rpc(node, "anvil_mine", "0x14")
    sent = [send(node, **FEES) for _ in range(depth)]
    view = ChainView(engine.client)
    assert await view.poll()
    before = await engine.validate_many([f"tx:{tx}" for tx in sent], level=None)
    assert {outcome.verdict for outcome in before} == {Verdict.VALID}
    blocks = [outcome.block for outcome in before]
    assert all(blocks)
    rpc(node, "anvil_reorg", depth, [])
    assert await view.poll()
    assert view.head == block_at(node, "latest")
    assert list(view.orphans.values()) == blocks
    after = await engine.validate_many([f"tx:{tx}" for tx in sent], level=None)
    assert all(a.block is None or not view.is_orphaned(a.block.hash) for a in after)
    assert {outcome.verdict for outcome in after} != {Verdict.VALID}


@pytest.mark.parametrize("depth", [64])
async def test_one_as_deep_as_finality(node: str, engine: Engine, depth: int) -> None:
    rpc(node, "anvil_mine", hex(depth + 30))
    view = ChainView(engine.client)
    for _ in range(8):
        assert await view.poll()
    top = block_at(node, "latest").number
    gone = [block_at(node, number) for number in range(top - depth + 1, top + 1)]
    rpc(node, "anvil_reorg", depth, [])
    assert await view.poll()
    assert list(view.orphans.values()) == gone


async def test_the_final_block_is_the_one_that_the_node_names(node: str, engine: Engine) -> None:
    rpc(node, "anvil_mine", "0x64")
    view = ChainView(engine.client)
    for _ in range(8):
        assert await view.poll()
    assert view.final == block_at(node, "finalized")
    assert view.final.number > 0


async def test_a_transaction_of_the_new_chain_validates_in_its_new_block(
    node: str, engine: Engine
) -> None:
    rpc(node, "anvil_mine", "0x5")
    sent = send(node, **FEES)
    view = ChainView(engine.client)
    assert await view.poll()
    [before] = await engine.validate_many([f"tx:{sent}"], level=None)
    raw = rpc(node, "eth_getRawTransactionByHash", sent)
    rpc(node, "anvil_reorg", 1, [[raw, 0]])
    assert await view.poll()
    [after] = await engine.validate_many([f"tx:{sent}"], level=None)
    assert after.verdict is Verdict.VALID
    assert before.block is not None
    assert after.block is not None
    assert view.is_orphaned(before.block.hash)
    assert not view.is_orphaned(after.block.hash)
