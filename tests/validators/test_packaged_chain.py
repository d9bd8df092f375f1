"""Every block and transaction that the demo node serves, made by another node, is valid."""

from collections import Counter

import msgspec
import pytest

from tests.validators.world import Node
from validation.devnode.archive import PACKAGED, Archive, BlockLines, read
from validation.subjects import parse_subject
from validation.validators import Outcome, validate


@pytest.fixture(scope="module")
def archive() -> Archive:
    return read(PACKAGED)


def block_text(block: BlockLines) -> bytes:
    return block.header[:-1] + b',"transactions":[' + b",".join(block.transactions) + b"]}"


async def test_every_transaction_is_valid(archive: Archive) -> None:
    verdicts: Counter[tuple[str, int, str]] = Counter()
    types: Counter[str] = Counter()
    for block in archive.blocks:
        for tx, receipt in zip(block.transactions, block.receipts, strict=True):
            known = msgspec.json.decode(tx)
            types[known["type"]] += 1
            answers = {"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": receipt}
            outcome = await _validated(f"tx:{known['hash']}", answers, archive)
            verdicts[outcome.verdict, outcome.level, outcome.reason] += 1
    assert verdicts == {("valid", 2, "ok"): types.total()}
    assert types.total() >= 10_000
    assert set(types) == {"0x0", "0x1", "0x2", "0x3", "0x4"}


async def test_every_block_is_valid(archive: Archive) -> None:
    for block in archive.blocks:
        header = msgspec.json.decode(block.header)
        outcome = await _validated(
            f"block:{header['hash']}", {"eth_getBlockByHash": block_text(block)}, archive
        )
        assert (outcome.verdict, outcome.level) == ("valid", 2), outcome


async def _validated(text: str, answers: dict[str, bytes], archive: Archive) -> Outcome:
    return await validate(
        parse_subject(text), level=None, fetcher=Node(answers), chain_id=archive.about.chain_id
    )
