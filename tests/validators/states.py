"""A state trie made by py-trie, and a node that proves what is in it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from tests.validators.world import EXTRAS, Json, hash_header, header_at
from validation.rpc import Call, CallRefused, Reply, RpcError

type Told = Callable[[Any], Any]
_BLANK = keccak(rlp.encode(b""))


def uint(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


@dataclass(frozen=True, kw_only=True)
class Made:
    """An account, before it is in a trie."""

    nonce: int = 0
    balance: int = 0
    code: bytes = b""
    storage: dict[int, int] = field(default_factory=dict)

    @property
    def trie(self) -> HexaryTrie:
        trie = HexaryTrie({})
        for slot, word in self.storage.items():
            trie[keccak(slot.to_bytes(32))] = rlp.encode(uint(word))
        return trie


class State:
    """Accounts by lower-case address, and the trie over them."""

    def __init__(self, accounts: dict[str, Made]) -> None:
        self.accounts = accounts
        self.trie = HexaryTrie({})
        for address, made in accounts.items():
            fields = [
                uint(made.nonce),
                uint(made.balance),
                made.trie.root_hash,
                keccak(made.code),
            ]
            self.trie[_key(address)] = rlp.encode(fields)
        self.root = "0x" + self.trie.root_hash.hex()

    def proof(self, address: str, slots: Sequence[str]) -> Json:
        made = self.accounts.get(address.lower(), Made())
        trie = made.trie
        return {
            "address": address.lower(),
            "accountProof": _nodes(self.trie, _key(address)),
            "balance": hex(made.balance),
            "codeHash": "0x" + keccak(made.code).hex(),
            "nonce": hex(made.nonce),
            "storageHash": "0x" + trie.root_hash.hex(),
            "storageProof": [
                {
                    "key": slot,
                    "value": hex(made.storage.get(int(slot, 16), 0)),
                    "proof": _nodes(trie, keccak(bytes.fromhex(slot[2:]))),
                }
                for slot in slots
            ],
        }


def _key(address: str) -> bytes:
    return bytes(keccak(bytes.fromhex(address[2:])))


def _nodes(trie: HexaryTrie, key: bytes) -> list[str]:
    if trie.root_hash == _BLANK:
        return []
    return ["0x" + rlp.encode(node).hex() for node in trie.get_proof(key)]  # type: ignore[no-untyped-call]


def header_of(state_root: str, number: int = 16, **changed: str) -> Json:
    fields = header_at("prague") | {"stateRoot": state_root, "number": hex(number), **changed}
    return {"hash": hash_header(fields), **fields, **EXTRAS, "transactions": []}


class StateNode:
    """A fetcher over a state at the newest block. `told` changes what a method answers."""

    def __init__(self, state: State, *, number: int = 16, label: str = "node-1") -> None:
        self.state = state
        self.header = header_of(state.root, number)
        self.label = label
        self.told: dict[str, Told] = {}
        self.refused: dict[str, int] = {}
        self.asked: list[tuple[Call, ...]] = []
        self.fresh: list[bool] = []
        self.after: Callable[[], None] = lambda: None

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.asked.append(tuple(calls))
        self.fresh.append(fresh)
        raws = tuple(json.dumps(self._answer(call)).encode() for call in calls)
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        reply = Reply(values, self.label, raws)
        self.after()
        return reply

    def _answer(self, call: Call) -> Any:
        if call.method in self.refused:
            raise CallRefused("refused", code=self.refused[call.method], node=self.label)
        answer = self._true(call.method, call.params)
        told = self.told.get(call.method)
        return answer if told is None else told(answer)

    def _true(self, method: str, params: tuple[Any, ...]) -> Any:
        if method == "eth_getBlockByNumber":
            known = {"latest", "finalized", self.header["number"]}
            return self.header if params[0] in known else None
        if params[-1] not in {"latest", self.header["number"]}:
            raise CallRefused("unknown block", code=-32001, node=self.label)
        if method == "eth_getProof":
            return self.state.proof(params[0], params[1])
        made = self.state.accounts.get(params[0].lower(), Made())
        return {
            "eth_getBalance": hex(made.balance),
            "eth_getTransactionCount": hex(made.nonce),
            "eth_getCode": "0x" + made.code.hex(),
        }[method]


class Nodes:
    """Several nodes: the first answers, and each can be asked by its label."""

    def __init__(self, *nodes: StateNode) -> None:
        self.by_label = {node.label: node for node in nodes}
        self.error: RpcError | None = None

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        return await next(iter(self.by_label.values())).fetch(calls, fresh=fresh)

    def labels(self) -> tuple[str, ...]:
        return tuple(self.by_label)

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        if self.error is not None:
            raise self.error
        return await self.by_label[node].fetch(calls)
