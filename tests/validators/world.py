"""A small world to validate: signed transactions with receipts, blocks with headers, and a node.

Transactions are signed by eth-account and headers encoded by `rlp`: nothing here uses the code
under test.
"""

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import rlp
from eth_account import Account
from eth_hash.auto import keccak

from validation.rpc import Call, Reply, RpcError
from validation.subjects import parse_subject
from validation.validators import Outcome, validate

KEY = "0x" + "4c" * 32
OTHER_KEY = "0x" + "5d" * 32
CHAIN_ID = 31337
TO = "0x" + "11" * 20
EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
TOPIC = "0x" + "ab" * 32
BLOCK_HASH = "0x" + "b0" * 32

type Json = dict[str, Any]

_ACCESS_LIST = [{"address": TO, "storageKeys": ["0x" + "00" * 31 + "01", "0x" + "22" * 32]}]
_FEES = {"maxFeePerGas": 2_000_000_000, "maxPriorityFeePerGas": 1_000_000_000}


def unsigned(number: int) -> Json:
    """The fields of a transaction of a type, as eth-account takes them."""
    fields: Json = {
        "nonce": 7,
        "gas": 100_000,
        "to": TO,
        "value": 10**18,
        "data": "0xdeadbeef",
        "chainId": CHAIN_ID,
    }
    if number:
        fields |= {"type": number, "accessList": copy.deepcopy(_ACCESS_LIST)}
    fields |= {"gasPrice": 1_500_000_000} if number < 2 else _FEES
    if number == 3:
        fields |= {
            "maxFeePerBlobGas": 3,
            "blobVersionedHashes": ["0x01" + "cd" * 31, "0x01" + "ce" * 31],
        }
    if number == 4:
        authorization = Account.from_key(OTHER_KEY).sign_authorization(
            {"chainId": CHAIN_ID, "address": TO, "nonce": 3}
        )
        fields |= {"authorizationList": [authorization]}
    return fields


def signed(number: int, fields: Json | None = None, *, key: str = KEY, index: int = 0) -> Json:
    """A mined transaction as a node answers it."""
    fields = unsigned(number) if fields is None else fields
    proof = Account.sign_transaction(fields, key)
    answer: Json = {
        "hash": "0x" + bytes(proof.hash).hex(),
        "type": hex(number),
        "from": Account.from_key(key).address.lower(),
        "input": fields["data"],
        "r": hex(proof.r),
        "s": hex(proof.s),
        "v": hex(proof.v),
        "to": fields.get("to") or None,
        "blockHash": BLOCK_HASH,
        "blockNumber": "0x10",
        "transactionIndex": hex(index),
    }
    for name, held in fields.items():
        if isinstance(held, int) and name != "type":
            answer[name] = hex(held)
    if "chainId" not in fields:
        answer.pop("chainId", None)
    for name in ("accessList", "blobVersionedHashes"):
        if name in fields:
            answer[name] = fields[name]
    if "authorizationList" in fields:
        answer["authorizationList"] = [_authorization(a) for a in fields["authorizationList"]]
    if number:
        answer["yParity"] = hex(proof.v)
    answer.setdefault("gasPrice", hex(1_700_000_000))
    return answer


def _authorization(given: Any) -> Json:
    return {
        "chainId": hex(given.chain_id),
        "address": "0x" + bytes(given.address).hex(),
        "nonce": hex(given.nonce),
        "yParity": hex(given.y_parity),
        "r": hex(given.r),
        "s": hex(given.s),
    }


def bloom(items: Sequence[str]) -> str:
    filled = bytearray(256)
    for item in items:
        digest = keccak(bytes.fromhex(item[2:]))
        for start in (0, 2, 4):
            bit = (digest[start] << 8 | digest[start + 1]) % 2048
            filled[255 - bit // 8] |= 1 << bit % 8
    return "0x" + filled.hex()


def receipt_of(tx: Json, *, logs: int = 2) -> Json:
    created = None
    if tx["to"] is None:
        creator = [bytes.fromhex(tx["from"][2:]), int(tx["nonce"], 16)]
        created = "0x" + keccak(rlp.encode(creator))[12:].hex()
    place = {name: tx[name] for name in ("blockHash", "blockNumber", "transactionIndex")}
    return {
        **place,
        "transactionHash": tx["hash"],
        "from": tx["from"],
        "to": tx["to"],
        "type": tx["type"],
        "status": "0x1",
        "gasUsed": "0x5208",
        "cumulativeGasUsed": "0x5208",
        "effectiveGasPrice": tx["gasPrice"],
        "contractAddress": created,
        "logsBloom": bloom([TO, TOPIC] if logs else []),
        "logs": [
            {
                **place,
                "transactionHash": tx["hash"],
                "address": TO,
                "topics": [TOPIC],
                "data": "0x01",
                "logIndex": hex(index),
                "removed": False,
            }
            for index in range(logs)
        ],
        **({"blobGasUsed": hex(2 * 131072), "blobGasPrice": "0x1"} if tx["type"] == "0x3" else {}),
    }


HEADER: Json = {
    "parentHash": "0x" + "01" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "02" * 20,
    "stateRoot": "0x" + "03" * 32,
    "transactionsRoot": "0x" + "04" * 32,
    "receiptsRoot": "0x" + "05" * 32,
    "logsBloom": "0x" + "06" * 256,
    "difficulty": "0x20000",
    "number": "0x10",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x5208",
    "timestamp": "0x6955c86c",
    "extraData": "0x" + "07" * 5,
    "mixHash": "0x" + "08" * 32,
    "nonce": "0x0000000000000042",
}
FORKS: dict[str, Json] = {
    "frontier": {},
    "london": {"baseFeePerGas": "0x3b9aca00"},
    "shanghai": {"withdrawalsRoot": EMPTY_ROOT},
    "cancun": {
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x20000",
        "parentBeaconBlockRoot": "0x" + "09" * 32,
    },
    "prague": {"requestsHash": "0x" + "0a" * 32},
}
EXTRAS: Json = {"size": "0x220", "totalDifficulty": "0x0", "uncles": [], "withdrawals": []}
_QUANTITIES = {
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp"),
    *("baseFeePerGas", "blobGasUsed", "excessBlobGas"),
}


def header_at(fork: str) -> Json:
    """The fields of a header at a fork, without its hash."""
    header = dict(HEADER)
    for name, added in FORKS.items():
        header |= added
        if name == fork:
            break
    return header


def hash_header(header: Json) -> str:
    items = [
        int(held, 16) if name in _QUANTITIES else bytes.fromhex(held[2:])
        for name, held in header.items()
    ]
    return "0x" + keccak(rlp.encode(items)).hex()


def block_of(transactions: Sequence[Json], *, fork: str = "prague") -> Json:
    """A block with these transactions put into it."""
    header = header_at(fork)
    own = hash_header(header)
    place = {"blockHash": own, "blockNumber": header["number"]}
    placed = [
        tx | place | {"transactionIndex": hex(index)} for index, tx in enumerate(transactions)
    ]
    return {"hash": own, **header, **EXTRAS, "transactions": placed}


class Node:
    """A fetcher that answers each method with what it is told, or raises."""

    def __init__(self, answers: Json, *, error: RpcError | None = None) -> None:
        self.answers = answers
        self.error = error
        self.asked: list[tuple[Call, ...]] = []
        self.between: Callable[[Json], None] | None = None

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.asked.append(tuple(calls))
        if self.error is not None:
            raise self.error
        values = tuple(call.decode(self._raw(call.method)) for call in calls)
        if self.between is not None:
            self.between(self.answers)
        return Reply(values, "node-1")

    def _raw(self, method: str) -> bytes:
        answer = self.answers[method]
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


async def validate_tx(
    tx: Json | bytes | None,
    receipt: Json | bytes | None,
    *,
    asked: str = "",
    level: int = 2,
    chain_id: int | None = CHAIN_ID,
) -> Outcome:
    """Up to what a transaction and its receipt tell by themselves."""
    node = Node({"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": receipt})
    subject = asked or (tx["hash"] if isinstance(tx, dict) else "0x" + "00" * 32)
    return await validate(
        parse_subject(f"tx:{subject}"), level=level, fetcher=node, chain_id=chain_id
    )


async def validate_block(
    block: Json | None,
    *,
    asked: str = "block:16",
    level: int = 2,
    chain_id: int | None = CHAIN_ID,
) -> Outcome:
    """Up to what a block tells by itself."""
    node = Node({"eth_getBlockByNumber": block, "eth_getBlockByHash": block})
    return await validate(parse_subject(asked), level=level, fetcher=node, chain_id=chain_id)


def statuses(outcome: Outcome) -> dict[str, str]:
    return {check.name: check.status.value for check in outcome.checks}


def detail(outcome: Outcome, name: str) -> str:
    return next(check.detail for check in outcome.checks if check.name == name)
