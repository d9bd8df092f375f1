"""Blocks with receipts and a parent that hang together, sealed by py-trie and `rlp` alone, and a
node that serves them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from trie.hexary import HexaryTrie

from tests.validators.oracle import envelope
from tests.validators.world import (
    EXTRAS,
    KEY,
    TO,
    TOPIC,
    Json,
    bloom,
    hash_header,
    header_at,
    receipt_of,
    signed,
    unsigned,
)
from validation.rpc import Call, CallRefused, Reply

GAS = 21_000
BASE_FEE = 800_000_000
GENESIS_TIME = 0x6955C000


def raw(held: str) -> bytes:
    return bytes.fromhex(held[2:])


def number(held: str) -> int:
    return int(held, 16)


def root_of(values: Sequence[bytes]) -> str:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    return "0x" + trie.root_hash.hex()


def receipt_value(receipt: Json) -> bytes:
    outcome: Any = raw(receipt["root"]) if "root" in receipt else number(receipt["status"])
    logs = [
        [raw(log["address"]), [raw(topic) for topic in log["topics"]], raw(log["data"])]
        for log in receipt["logs"]
    ]
    body = [outcome, number(receipt["cumulativeGasUsed"]), raw(receipt["logsBloom"]), logs]
    kind = number(receipt.get("type", "0x0"))
    encoded: bytes = rlp.encode(body)
    return (bytes((kind,)) if kind else b"") + encoded


def withdrawal_value(given: Json) -> bytes:
    names = ("index", "validatorIndex", "address", "amount")
    encoded: bytes = rlp.encode(
        [raw(given[name]) if name == "address" else number(given[name]) for name in names]
    )
    return encoded


def sound(kinds: Sequence[int | str], *, base_fee: int | None = BASE_FEE) -> list[Json]:
    """Transactions of these types, or a "creation", one sender's, nonce after nonce."""
    made = []
    for index, kind in enumerate(kinds):
        fields = unsigned(2 if kind == "creation" else int(kind)) | {"nonce": index}
        if kind == "creation":
            del fields["to"]
        tx = signed(2 if kind == "creation" else int(kind), fields, key=KEY, index=index)
        if "maxFeePerGas" in tx and base_fee is not None:
            tip = number(tx["maxPriorityFeePerGas"])
            tx["gasPrice"] = hex(min(number(tx["maxFeePerGas"]), base_fee + tip))
        made.append(tx)
    return made


@dataclass(kw_only=True)
class Sealed:
    block: Json
    receipts: list[Json]
    parent: Json

    @property
    def hash(self) -> str:
        return str(self.block["hash"])

    def node(self) -> "Serving":
        return Serving(self)


def seal(
    transactions: Sequence[Json],
    *,
    fork: str = "prague",
    header: Json | None = None,
    parent: Json | None = None,
    withdrawals: Sequence[Json] = (),
    logs: Callable[[int], int] = lambda index: index % 3,
    by_root: bool = False,
    alter: Callable[[list[Json]], object] = len,
) -> Sealed:
    """`header` overrules fields of the header before it is hashed, `parent` those of its parent;
    `logs` says how many a transaction makes; `by_root`: receipts from before Byzantium;
    `alter` changes the receipts before they are hashed.
    """
    above = header_at(fork) | {"number": "0xf", "timestamp": hex(GENESIS_TIME), "gasUsed": "0x0"}
    if "baseFeePerGas" in above:
        # Half of the limit used: the base fee stays.
        above |= {"baseFeePerGas": hex(BASE_FEE), "gasUsed": hex(number(above["gasLimit"]) // 2)}
    if "excessBlobGas" in above:
        above |= {"excessBlobGas": "0x0", "blobGasUsed": "0x0"}
    above |= parent or {}
    parent_hash = hash_header(above)
    own = header_at(fork) | {"parentHash": parent_hash, "timestamp": hex(GENESIS_TIME + 12)}
    receipts = _receipts(transactions, logs, by_root)
    alter(receipts)
    blobs = sum(len(tx.get("blobVersionedHashes", ())) for tx in transactions)
    own |= {
        "transactionsRoot": root_of([envelope(tx) for tx in transactions]),
        "receiptsRoot": root_of([receipt_value(receipt) for receipt in receipts]),
        "logsBloom": bloom([TO, TOPIC] if any(each["logs"] for each in receipts) else []),
        "gasUsed": hex(GAS * len(transactions)),
    }
    optional = {
        "baseFeePerGas": hex(BASE_FEE),
        "withdrawalsRoot": root_of([withdrawal_value(each) for each in withdrawals]),
        "blobGasUsed": hex(blobs * 131_072),
        "excessBlobGas": "0x0",
        "requestsHash": "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    own |= {name: held for name, held in optional.items() if name in own}
    own |= header or {}
    block_hash = hash_header(own)
    place = {"blockHash": block_hash, "blockNumber": own["number"]}
    for receipt in receipts:
        for each in (receipt, *receipt["logs"]):
            each.update(place)
    block = {
        "hash": block_hash,
        **own,
        **EXTRAS,
        "withdrawals": list(withdrawals),
        "transactions": [dict(tx) | place for tx in transactions],
    }
    above = {"hash": parent_hash, **above, **EXTRAS, "transactions": []}
    return Sealed(block=block, receipts=receipts, parent=above)


def _receipts(
    transactions: Sequence[Json], logs: Callable[[int], int], by_root: bool
) -> list[Json]:
    made, before = [], 0
    for index, tx in enumerate(transactions):
        receipt = receipt_of(tx, logs=logs(index))
        receipt["cumulativeGasUsed"] = hex(GAS * (index + 1))
        receipt["gasUsed"] = hex(GAS)
        for log in receipt["logs"]:
            log["logIndex"] = hex(before)
            before += 1
        if by_root:
            receipt["root"] = "0x" + f"{index + 1:064x}"
            del receipt["status"]
        made.append(receipt)
    return made


class Serving:
    """A fetcher over what was sealed. `told` changes what is answered to a method, `refused` are
    methods that it does not have, and `asked` are the calls of each round trip.
    """

    def __init__(self, *sealed: Sealed, label: str = "node-1") -> None:
        self.label = label
        self.asked: list[tuple[Call, ...]] = []
        self.fresh: list[bool] = []
        self.told: dict[str, Callable[[Any], Any]] = {}
        self.refused: dict[str, int] = {}
        self._blocks: dict[str, Json] = {}
        self._receipts: dict[str, list[Json]] = {}
        self._transactions: dict[str, tuple[Json, Json]] = {}
        self.newest: Json = {}
        for each in sealed:
            self.add(each)

    def add(self, sealed: Sealed) -> None:
        for block in (sealed.parent, sealed.block):
            self._blocks[block["hash"]] = self._blocks[block["number"]] = block
        self._receipts[sealed.hash] = sealed.receipts
        for tx, receipt in zip(sealed.block["transactions"], sealed.receipts, strict=True):
            self._transactions[tx["hash"]] = (tx, receipt)
        self.newest = sealed.block

    def methods(self) -> list[str]:
        return [call.method for calls in self.asked for call in calls]

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.asked.append(tuple(calls))
        self.fresh.append(fresh)
        raws = tuple(json.dumps(self._answer(call)).encode() for call in calls)
        values = tuple(call.decode(text) for call, text in zip(calls, raws, strict=True))
        return Reply(values, self.label, raws)

    def _answer(self, call: Call) -> Any:
        if call.method in self.refused:
            code = self.refused[call.method]
            raise CallRefused(f"no {call.method} here", code=code, node=self.label)
        # A copy, so that a lie about one answer is not told in another.
        answer = json.loads(json.dumps(self._true(call.method, call.params)))
        change = self.told.get(call.method)
        return answer if change is None else change(answer)

    def _true(self, method: str, params: tuple[Any, ...]) -> Any:
        asked = params[0]
        if method == "eth_getBlockReceipts":
            return self._receipts.get(asked)
        if method in {"eth_getTransactionByHash", "eth_getTransactionReceipt"}:
            known = self._transactions.get(asked, (None, None))
            return known[method == "eth_getTransactionReceipt"]
        block = self.newest if asked == "latest" else self._blocks.get(asked)
        if block is None or params[1]:
            return block
        return block | {"transactions": [tx["hash"] for tx in block["transactions"]]}
