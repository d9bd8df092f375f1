"""What becomes of a block: valid to its level, and each way not to be."""

import asyncio

import pytest

from tests.validators.oracle import rehashed
from tests.validators.test_transactions import ORDER
from tests.validators.world import (
    BLOCK_HASH,
    CHAIN_ID,
    FORKS,
    OTHER_KEY,
    TO,
    Json,
    block_of,
    detail,
    signed,
    statuses,
    validate_block,
)
from validation.validators import Verdict


def full_block() -> Json:
    return block_of([signed(number) for number in range(5)])


@pytest.mark.parametrize("fork", FORKS)
async def test_a_block_of_every_fork_is_valid(fork: str) -> None:
    block = block_of([signed(0)], fork=fork)
    outcome = await validate_block(block)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 2, "ok")
    assert set(statuses(outcome).values()) == {"pass"}


async def test_a_block_with_every_type_is_valid_by_number_and_by_hash() -> None:
    block = full_block()
    for asked in ("block:16", f"block:{block['hash']}"):
        outcome = await validate_block(block, asked=asked)
        assert (outcome.verdict, outcome.level) == (Verdict.VALID, 2)
        assert {"header_hash", "transactions", "positions", "senders"} <= set(statuses(outcome))


async def test_an_empty_block_is_valid() -> None:
    assert (await validate_block(block_of([]))).verdict is Verdict.VALID


async def test_fork_fields_that_are_null_are_absent() -> None:
    block = block_of([], fork="frontier") | {"baseFeePerGas": None, "requestsHash": None}
    assert (await validate_block(block)).verdict is Verdict.VALID


async def test_null_is_not_found() -> None:
    outcome = await validate_block(None)
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_FOUND, "not_found")


@pytest.mark.parametrize("asked", ["block:17", f"block:{BLOCK_HASH}"])
@pytest.mark.parametrize("level", [1, 2])
async def test_another_block_is_no_answer(asked: str, level: int) -> None:
    outcome = await validate_block(full_block(), asked=asked, level=level)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.INVALID, 0, "other_item")


async def test_level_1_looks_at_no_hash() -> None:
    outcome = await validate_block(full_block() | {"stateRoot": "0x" + "ff" * 32}, level=1)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 1)
    assert "header_hash" not in statuses(outcome)


async def test_a_changed_header_is_told_with_both_hashes() -> None:
    block = full_block()
    changed = block | {"gasUsed": "0x1"}
    outcome = await validate_block(changed)
    assert (outcome.verdict, outcome.level) == (Verdict.INVALID, 1)
    assert outcome.reason == "header_hash_mismatch"
    assert block["hash"] in detail(outcome, "header_hash")


async def test_a_forged_transaction_is_named_by_its_position() -> None:
    block = full_block()
    block["transactions"][2]["value"] = "0x1"
    outcome = await validate_block(block)
    assert outcome.reason == "transactions_mismatch"
    assert "transaction 2: computed" in detail(outcome, "transactions")


async def test_swapped_transactions_are_out_of_place() -> None:
    block = full_block()
    txs = block["transactions"]
    txs[0], txs[1] = txs[1], txs[0]
    outcome = await validate_block(block)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "positions_mismatch")


async def test_a_forged_sender_in_a_block_is_caught() -> None:
    block = full_block()
    block["transactions"][3]["from"] = TO
    outcome = await validate_block(block)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "senders_mismatch")
    assert "transaction 3" in detail(outcome, "senders")


async def test_a_high_s_in_a_block_is_caught() -> None:
    tx = signed(2, key=OTHER_KEY)
    block = block_of([rehashed(tx, s=ORDER - int(tx["s"], 16), flip=True)])
    outcome = await validate_block(block)
    assert outcome.reason == "senders_mismatch"
    assert "upper half" in detail(outcome, "senders")


async def test_a_transaction_of_another_chain_is_caught() -> None:
    outcome = await validate_block(full_block(), chain_id=CHAIN_ID + 1)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "chain_id_mismatch")


async def test_an_unknown_header_field_is_named_and_its_hash_proves_nothing() -> None:
    block = full_block() | {"blockAccessListHash": "0x" + "0d" * 32}
    known = await validate_block(block)
    assert (known.verdict, known.reason) == (Verdict.UNVERIFIABLE, "unknown_field")
    assert statuses(known)["header_hash"] == "pass"
    future = await validate_block(block | {"hash": "0x" + "0e" * 32})
    assert future.verdict is not Verdict.VALID
    assert statuses(future)["header_hash"] == "skip"


async def test_an_unknown_field_of_a_transaction_is_named_by_its_path() -> None:
    block = full_block()
    block["transactions"][0]["futureField"] = "0x1"
    outcome = await validate_block(block)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_field")
    assert "transactions.futureField" in detail(outcome, "known_fields")


@pytest.mark.parametrize("level", [1, 2])
async def test_an_unknown_type_makes_a_block_unverifiable(level: int) -> None:
    block = full_block()
    place = {"blockHash": block["hash"], "blockNumber": "0x10", "transactionIndex": "0x5"}
    strange = {"hash": "0x" + "12" * 32, "type": "0x7e", "from": TO, "sourceHash": "0x01"}
    block["transactions"].append(strange | place)
    outcome = await validate_block(block, level=level)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 0)
    assert "0x7e" in detail(outcome, "known_type")


async def test_a_malformed_transaction_is_named_by_its_position() -> None:
    block = full_block()
    block["transactions"][4]["nonce"] = "0x007"
    outcome = await validate_block(block)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")
    assert "transactions[4] nonce is '0x007'" in detail(outcome, "well_formed")


async def test_a_large_block_gives_others_a_turn() -> None:
    block = block_of([signed(2)] * 64)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    neighbour = asyncio.create_task(other())
    assert (await validate_block(block)).verdict is Verdict.VALID
    neighbour.cancel()
    assert turns >= 3
