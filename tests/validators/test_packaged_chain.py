"""Every block and transaction that the demo node serves, made by another node, is valid."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from validation.devnode.archive import PACKAGED, Archive, BlockLines, read
from validation.rpc import Call, Reply
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, validate


class Serving:
    """A fetcher over the whole archive, by hash."""

    def __init__(self, archive: Archive) -> None:
        self.answers: dict[tuple[str, object], bytes] = {}
        self.transactions: list[str] = []
        self.blocks: list[str] = []
        self.types: Counter[str] = Counter()
        for block in archive.blocks:
            self._add(block)

    def _add(self, block: BlockLines) -> None:
        header = msgspec.json.decode(block.header)
        for tx, receipt in zip(block.transactions, block.receipts, strict=True):
            known = msgspec.json.decode(tx)
            self.types[known["type"]] += 1
            self.transactions.append(known["hash"])
            self.answers["eth_getTransactionByHash", known["hash"]] = tx
            self.answers["eth_getTransactionReceipt", known["hash"]] = receipt
        self.blocks.append(header["hash"])
        whole = block.header[:-1] + b',"transactions":[' + b",".join(block.transactions) + b"]}"
        lean = block.header[:-1] + b',"transactions":[]}'
        self.answers["eth_getBlockByHash", (header["hash"], True)] = whole
        self.answers["eth_getBlockByHash", (header["hash"], False)] = lean
        self.answers["eth_getBlockReceipts", header["hash"]] = b"[%b]" % b",".join(block.receipts)

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        keys = [call.params[0] if len(call.params) == 1 else call.params for call in calls]
        raws = tuple(self.answers[call.method, key] for call, key in zip(calls, keys, strict=True))
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        return Reply(values, "node-1", raws)


@pytest.fixture(scope="module")
def chain_id() -> int:
    return read(PACKAGED).about.chain_id


@pytest.fixture(scope="module")
def serving() -> Serving:
    return Serving(read(PACKAGED))


async def test_every_transaction_is_valid_in_its_block(serving: Serving, chain_id: int) -> None:
    outcomes = await validated(serving, [f"tx:{tx}" for tx in serving.transactions], chain_id)
    verdicts = Counter((o.verdict, o.level, o.reason) for o in outcomes)
    assert verdicts == {("valid", 3, "ok"): serving.types.total()}
    assert serving.types.total() >= 10_000
    assert set(serving.types) == {"0x0", "0x1", "0x2", "0x3", "0x4"}


async def test_blocks_are_valid(serving: Serving, chain_id: int) -> None:
    """A fifth of them, the first after genesis among them: it keeps the base fee of that."""
    some = [serving.blocks[0], *serving.blocks[1::5]]
    outcomes = await validated(serving, [f"block:{each}" for each in some], chain_id)
    assert {(o.verdict, o.level, o.reason) for o in outcomes} == {("valid", 3, "ok")}


async def test_a_fee_that_was_set_by_hand_is_no_rule_where_the_chain_is_not_known(
    serving: Serving,
) -> None:
    subject = parse_subject(f"block:{serving.blocks[1]}")
    outcome = await validate(subject, level=3, fetcher=serving, grounds=Grounds())
    skipped = {check.name: check.detail for check in outcome.checks if check.status == "skip"}
    assert outcome.verdict == "unverifiable"
    assert "may not be this chain's" in skipped["base_fee"]


async def validated(serving: Serving, subjects: list[str], chain_id: int) -> list[Outcome]:
    grounds = Grounds(chain_id=chain_id)
    return [
        await validate(parse_subject(text), level=None, fetcher=serving, grounds=grounds)
        for text in subjects
    ]
