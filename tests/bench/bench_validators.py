"""What a check costs: envelope and sender, header, and whole items beyond the RPC, in CPU time."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import rlp
from coincurve import PublicKey
from eth_account import Account
from eth_hash.auto import keccak

from tests.bench.lines import interleaved, show
from tests.validators.world import hash_header, header_at, receipt_of, signed, unsigned
from validation.devnode.archive import PACKAGED, BlockLines, read
from validation.rpc import Call, Reply
from validation.rpc.answers import (
    Answer,
    read_block,
    read_lean_block,
    read_receipt,
    read_transaction,
)
from validation.subjects import parse_subject
from validation.validators import Grounds, Verdict, validate
from validation.validators.block_evidence import gather
from validation.validators.crypto import signed as joined
from validation.validators.envelope import rebuild
from validation.validators.header import header_hash
from validation.validators.signing import signer

TURNS = 400
CHAIN_ID = 31337


class Answers:
    """A fetcher whose answers are there already, as raw JSON, so that decoding is measured too."""

    def __init__(self, *raw: bytes) -> None:
        self._raw = raw

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        values = [call.decode(raw) for call, raw in zip(calls, self._raw, strict=True)]
        return Reply(tuple(values), "bench")


def us_each(work: Callable[[], object], turns: int = TURNS) -> Callable[[], float]:
    def measure() -> float:
        started = time.process_time()
        for _ in range(turns):
            work()
        return (time.process_time() - started) / turns * 1e6

    return measure


def validation(text: str, level: int, *raw: bytes) -> Callable[[], float]:
    """Microseconds a validation, in one event loop as in a worker."""
    fetcher, subject = Answers(*raw), parse_subject(text)

    async def measure() -> float:
        started = time.process_time()
        for _ in range(TURNS):
            outcome = await validate(subject, level=level, fetcher=fetcher, chain_id=CHAIN_ID)
            if outcome.verdict is not Verdict.VALID:
                raise AssertionError(outcome)
        return (time.process_time() - started) / TURNS * 1e6

    return lambda: asyncio.run(measure())


def value_of(read: Any) -> Any:
    if not isinstance(read, Answer):
        raise TypeError(read)
    return read.value


def signatures() -> None:
    raw = Account.sign_transaction(unsigned(2), "0x" + "4c" * 32).raw_transaction
    tx = value_of(read_transaction(json.dumps(signed(2)).encode()))
    envelope = rebuild(tx)
    signature = joined(tx.r, tx.s, envelope.parity or 0)
    figures = interleaved(
        {
            "ours": us_each(lambda: signer(tx, rebuild(tx), chain_id=CHAIN_ID)),
            "eth-account": us_each(lambda: (keccak(raw), Account.recover_transaction(raw)), 100),
            "recovery alone": us_each(
                lambda: PublicKey.from_signature_and_message(
                    signature, envelope.digest, hasher=None
                )
            ),
        }
    )
    show("transaction hash + sender", figures, unit="µs", goal="≤ 75 µs, ≤ 0.25 of eth-account")


def headers() -> None:
    fields = header_at("prague")
    raw = {"hash": hash_header(fields), **fields, "transactions": []}
    header = value_of(read_lean_block(json.dumps(raw).encode()))
    items = [
        bytes.fromhex(held[2:].zfill(len(held[2:]) + len(held) % 2)) for held in fields.values()
    ]
    figures = interleaved(
        {
            "ours": us_each(lambda: header_hash(header)),
            "rlp of ready bytes + keccak": us_each(lambda: keccak(rlp.encode(items))),
        }
    )
    show("header hash", figures, unit="µs", goal="≤ 10 µs")


def items() -> None:
    claimed = signed(2)
    tx, receipt = json.dumps(claimed).encode(), json.dumps(receipt_of(claimed)).encode()
    asked = f"tx:{claimed['hash']}"
    figures = interleaved(
        {
            "level 1": validation(asked, 1, tx, receipt),
            "reading its answers": us_each(lambda: (read_transaction(tx), read_receipt(receipt))),
        }
    )
    show("a transaction with 2 logs, level 1, beyond the RPC", figures, unit="µs", goal="≤ 30 µs")
    figures = interleaved({"level 2": validation(asked, 2, tx, receipt)})
    show("a transaction with 2 logs, level 2, beyond the RPC", figures, unit="µs", goal="≤ 110 µs")
    address = "address:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    account = (b'"0xde0b6b3a7640000"', b'"0x5"', b'"0x"')
    figures = interleaved(
        {
            "mixed case": validation(address, 1, *account),
            "lower case": validation(address.lower(), 1, *account),
        }
    )
    show("an address, level 1, beyond the RPC", figures, unit="µs", goal="≤ 15 µs")


def blocks() -> None:
    block = max(read(PACKAGED).blocks, key=lambda block: len(block.transactions))
    raw = block.header[:-1] + b',"transactions":[' + b",".join(block.transactions) + b"]}"
    count = len(block.transactions)
    asked = f"block:{value_of(read_block(raw)).hash}"

    def each(level: int) -> Callable[[], float]:
        async def measure() -> float:
            subject, fetcher = parse_subject(asked), Answers(raw)
            started = time.process_time()
            for _ in range(8):
                await validate(subject, level=level, fetcher=fetcher, chain_id=CHAIN_ID)
            return (time.process_time() - started) / 8 / count * 1e6

        return lambda: asyncio.run(measure())

    figures = interleaved({"level 2": each(2), "level 1": each(1)})
    show(f"a block of {count}, beyond the RPC, a transaction", figures, unit="µs", goal="≤ 90 µs")


class Whole:
    """A fetcher over one block of the packaged chain: itself, its receipts, its transactions."""

    def __init__(self, block: BlockLines) -> None:
        body = b",".join(block.transactions)
        whole = block.header[:-1] + b',"transactions":[' + body + b"]}"
        self.hash = value_of(read_block(whole)).hash
        self.hashes = [value_of(read_transaction(tx)).hash for tx in block.transactions]
        self._answers = {
            ("eth_getBlockByHash", self.hash): whole,
            ("eth_getBlockReceipts", self.hash): b"[" + b",".join(block.receipts) + b"]",
        }
        for asked, tx, receipt in zip(self.hashes, block.transactions, block.receipts, strict=True):
            self._answers["eth_getTransactionByHash", asked] = tx
            self._answers["eth_getTransactionReceipt", asked] = receipt

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        raws = tuple(self._answers[call.method, str(call.params[0])] for call in calls)
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        return Reply(values, "bench", raws)


def in_block() -> None:
    block = min(read(PACKAGED).blocks, key=lambda block: abs(len(block.transactions) - 35))
    node, count = Whole(block), len(block.transactions)

    async def evidence() -> float:
        started = time.process_time()
        for _ in range(20):
            await gather(node.hash, node, fresh=False)
        return (time.process_time() - started) / 20 * 1e3

    async def each(level: int) -> float:
        grounds = Grounds(chain_id=CHAIN_ID)
        if level > 2:  # what items share is measured above
            await validate(
                parse_subject(node.hashes[0]), level=level, fetcher=node, grounds=grounds
            )
        started = time.process_time()
        for asked in node.hashes * 4:
            outcome = await validate(
                parse_subject(asked), level=level, fetcher=node, grounds=grounds
            )
            if (outcome.verdict, outcome.level) != (Verdict.VALID, level):
                raise AssertionError(outcome)
        return (time.process_time() - started) / (4 * count) * 1e6

    figures = interleaved({"read and verified": lambda: asyncio.run(evidence())})
    show(
        f"a block of {count} with its receipts, once for its items",
        figures,
        unit="ms",
        goal="≤ 3 ms",
    )
    figures = interleaved(
        {"level 3": lambda: asyncio.run(each(3)), "level 2": lambda: asyncio.run(each(2))}
    )
    show(
        "a transaction of it, beyond the RPC", figures, unit="µs", goal="≤ 100 µs more than level 2"
    )


if __name__ == "__main__":
    signatures()
    headers()
    items()
    blocks()
    in_block()
