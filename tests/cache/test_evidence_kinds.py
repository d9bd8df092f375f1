"""Evidence, headers and proofs: what lies under which key, how long it holds, and in which tier."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.cache.fetchers import Node
from tests.cache.test_freshness import ADDRESS, BLOCK, LEAN, NS, RECEIPT, TX, Chain, Middle
from tests.cache.tiers import Tiers
from tests.rpc.test_evidence_answers import PROOF
from validation.cache import CachedFetcher
from validation.cache.freshness import Finality, Lifetime, Unknown, lifetime
from validation.cache.keys import BY_NAME, key_of
from validation.rpc import Call
from validation.rpc.answers import (
    Answer,
    read_block,
    read_block_receipts,
    read_data,
    read_header,
    read_proof,
    read_quantity,
    read_quantity_64,
)

HASH = BLOCK["hash"]
PLACED = RECEIPT | {"blockHash": HASH}
PROVED = PROOF | {"address": ADDRESS}
FINAL, OPEN = Chain(16), Chain(15)


def evidence(block_hash: str = HASH) -> tuple[Call, ...]:
    return (
        Call("eth_getBlockByHash", (block_hash, True), read_block),
        Call("eth_getBlockReceipts", (block_hash,), read_block_receipts),
    )


def by_number(number: str = "0x10") -> tuple[Call, ...]:
    return (Call("eth_getBlockByNumber", (number, False), read_header),)


def by_hash(block_hash: str = HASH) -> tuple[Call, ...]:
    return (Call("eth_getBlockByHash", (block_hash, False), read_header),)


def proof(block: object = "0x10", slots: tuple[str, ...] = ()) -> tuple[Call, ...]:
    return (
        Call("eth_getProof", (ADDRESS, slots, block), read_proof),
        Call("eth_getBalance", (ADDRESS, block), read_quantity),
        Call("eth_getTransactionCount", (ADDRESS, block), read_quantity_64),
        Call("eth_getCode", (ADDRESS, block), read_data),
    )


ACCOUNT = (PROVED, "0x1", "0x0", "0x")


def life(calls: Sequence[Call], *answers: Any, finality: Finality | None = None) -> Lifetime | None:
    found = key_of(NS, calls)
    assert found is not None
    values = [
        call.decode(json.dumps(answer).encode())
        for call, answer in zip(calls, answers, strict=True)
    ]
    return lifetime(
        found[1],
        calls[0].params,
        values,
        node="n",
        finality=finality or Unknown(),
        random=Middle(),
    )


@pytest.mark.parametrize(
    ("calls", "answers", "finality", "expires_s"),
    [
        (evidence(), (BLOCK, [PLACED]), FINAL, 172_800),
        (evidence(), (BLOCK, [PLACED]), OPEN, 300),
        (evidence(), (None, None), OPEN, 60),
        (by_hash(), (LEAN,), FINAL, 172_800),
        (by_hash(), (LEAN,), OPEN, 300),
        (by_hash(), (None,), OPEN, 60),
        (by_number(), (LEAN,), FINAL, 172_800),
        (by_number(), (LEAN,), OPEN, 12),
        (by_number(), (None,), OPEN, 12),
        (by_number("finalized"), (LEAN,), OPEN, 2),
        (proof(), ACCOUNT, FINAL, 172_800),
        (proof(), ACCOUNT, OPEN, 12),
        (proof(), ACCOUNT, Unknown(), 12),
        (proof("latest"), ACCOUNT, FINAL, 12),
        (proof({"blockHash": HASH}), ACCOUNT, FINAL, 300),
    ],
)
def test_lifetimes(
    calls: Sequence[Call], answers: tuple[Any, ...], finality: Finality, expires_s: float
) -> None:
    found = life(calls, *answers, finality=finality)
    assert found is not None
    assert found.expires_s == expires_s


@pytest.mark.parametrize(
    ("calls", "answers"),
    [
        (evidence(), (BLOCK, None)),
        (evidence(), (None, [PLACED])),
        (evidence(), (BLOCK, [])),
        (evidence(), (BLOCK, [PLACED, PLACED])),
        (evidence(), (BLOCK, [PLACED | {"blockHash": TX["hash"]}])),
        (evidence(TX["hash"]), (BLOCK, [PLACED])),
        (evidence(), (BLOCK, [{"odd": 1}])),
        (by_hash(TX["hash"]), (LEAN,)),
        (by_number("0x11"), (LEAN,)),
        (proof(), (None, "0x1", "0x0", "0x")),
        (proof(), (PROVED, "0x01", "0x0", "0x")),
        (proof({"blockHash": "0x1"}), ACCOUNT),
    ],
)
def test_what_is_incomplete_or_contradicts_itself_is_not_kept(
    calls: Sequence[Call], answers: tuple[Any, ...]
) -> None:
    assert life(calls, *answers, finality=FINAL) is None


@pytest.mark.parametrize(
    ("calls", "answers"),
    [
        (evidence(), (BLOCK, [PLACED])),
        (by_hash(), (LEAN,)),
        (by_number(), (LEAN,)),
        (proof({"blockHash": HASH}), ACCOUNT),
    ],
)
def test_what_is_not_final_falls_with_its_block(
    calls: Sequence[Call], answers: tuple[Any, ...]
) -> None:
    found = life(calls, *answers, finality=OPEN)
    assert found is not None
    assert f"block:{HASH}" in found.tags
    assert life(calls, *answers, finality=Chain(15, orphan=HASH)) is None


def test_a_proof_by_number_falls_with_any_reorganisation_until_it_is_final() -> None:
    for finality, falls in ((OPEN, True), (FINAL, False)):
        found = life(proof(), *ACCOUNT, finality=finality)
        assert found is not None
        assert ("latest" in found.tags) is falls


def test_each_question_lies_under_a_key_of_its_own() -> None:
    asked = [
        evidence(),
        evidence(TX["hash"]),
        by_hash(),
        by_number(),
        by_number("0x11"),
        proof(),
        proof("0x11"),
        proof(slots=("0x0",)),
        proof(slots=("0x1",)),
        (Call("eth_getBlockByHash", (HASH, True), read_block),),
    ]
    keys = {found[0] for calls in asked if (found := key_of(NS, calls)) is not None}
    assert len(keys) == len(asked)
    assert key_of(NS, evidence(HASH.upper().replace("X", "x"))) == key_of(NS, evidence())
    assert {b"evidence", b"header", b"proof"} <= set(BY_NAME)


@pytest.mark.parametrize(
    "calls",
    [
        (evidence()[0], evidence(TX["hash"])[1]),
        (Call("eth_getBlockByHash", (HASH, False), read_block), evidence()[1]),
        (proof()[0], *proof("0x11")[1:]),
        (*proof()[:3], Call("eth_getCode", (TX["from"], "0x10"), read_data)),
        (Call("eth_getProof", (ADDRESS, "0x10"), read_proof), *proof()[1:]),
    ],
)
def test_calls_that_ask_about_different_things_have_no_key(calls: tuple[Call, ...]) -> None:
    assert key_of(NS, calls) is None


def node() -> Node:
    answers = {
        "eth_getBlockByHash": BLOCK,
        "eth_getBlockReceipts": [PLACED],
        "eth_getProof": PROVED,
        "eth_getBalance": "0x1",
        "eth_getTransactionCount": "0x0",
        "eth_getCode": "0x",
    }
    return Node(answers)


async def test_evidence_is_shared_by_the_fleet_and_keeps_its_raws_and_stays_out_of_l1(
    tiers: Tiers,
) -> None:
    node_, fetchers = node(), []
    for _ in range(2):
        fetcher = CachedFetcher(node_, await tiers.make(), finality=FINAL)
        fetcher.start()
        await asyncio.wait_for(fetcher.is_warm.wait(), 5)
        fetchers.append(fetcher)
    one, other = fetchers
    try:
        asked = await one.fetch(evidence())
        assert one.cache.l2 is not None
        one.cache.l2.write_out()
        found = [await fetcher.fetch(evidence()) for fetcher in (one, other, other)]
        assert [reply.source for reply in found] == ["l2", "l2", "l2"]
        assert {reply.raws for reply in found} == {asked.raws}
        assert {type(value) for value in found[0].values} == {Answer}
        assert (len(one.cache.l1), len(other.cache.l1)) == (0, 0)
        assert node_.questions == 1

        again = [await one.fetch(proof()) for _ in range(2)]
        assert [reply.source for reply in again] == ["node", "l1"]
        assert len(one.cache.l1) == 1
        for reply in (asked, *found, *again):
            assert reply.spans
    finally:
        for fetcher in fetchers:
            await fetcher.aclose()
