"""Which block a verdict stands and falls with."""

import pytest

from tests.validators.world import (
    BLOCK_HASH,
    CHAIN_ID,
    Node,
    block_of,
    receipt_of,
    signed,
    validate_block,
    validate_tx,
)
from validation.subjects import parse_subject
from validation.validators import validate
from validation.validators.outcome import BlockRef


@pytest.mark.parametrize("level", [0, 1, 2])
async def test_a_transaction_is_tied_to_its_block_at_any_level(level: int) -> None:
    tx = signed(2)
    outcome = await validate_tx(tx, receipt_of(tx), level=level)
    assert outcome.block == BlockRef(number=16, hash=BLOCK_HASH)


async def test_the_case_of_a_hash_makes_no_other_block() -> None:
    tx = signed(2) | {"blockHash": "0x" + BLOCK_HASH[2:].upper()}
    outcome = await validate_tx(tx, receipt_of(tx))
    assert outcome.block == BlockRef(number=16, hash=BLOCK_HASH)


async def test_one_that_waits_is_tied_to_none() -> None:
    tx = signed(2) | {"blockHash": None, "blockNumber": None, "transactionIndex": None}
    assert (await validate_tx(tx, None)).block is None


async def test_nor_is_one_that_nobody_knows_or_can_read() -> None:
    tx = signed(2)
    assert (await validate_tx(None, None)).block is None
    assert (await validate_tx(tx | {"gas": "much"}, receipt_of(tx))).block is None


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("by_hash", [False, True])
async def test_a_block_is_tied_to_itself(level: int, by_hash: bool) -> None:
    block = block_of([signed(2)])
    asked = f"block:{block['hash']}" if by_hash else "block:16"
    outcome = await validate_block(block, asked=asked, level=level)
    assert outcome.block == BlockRef(number=16, hash=block["hash"])


@pytest.mark.parametrize("level", [0, 1])
async def test_the_head_is_tied_to_the_block_that_it_was(level: int) -> None:
    block = block_of([])
    node = Node({"eth_getBlockByNumber": block | {"transactions": []}})
    subject = parse_subject("head")
    outcome = await validate(subject, level=level, fetcher=node, chain_id=CHAIN_ID)
    assert outcome.block == BlockRef(number=16, hash=block["hash"])


async def test_an_address_is_tied_to_none() -> None:
    node = Node({"eth_getBalance": "0x1", "eth_getTransactionCount": "0x1", "eth_getCode": "0x"})
    subject = parse_subject("address:0x" + "ab" * 20)
    outcome = await validate(subject, level=None, fetcher=node, chain_id=CHAIN_ID)
    assert outcome.block is None
