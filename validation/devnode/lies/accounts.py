"""Lies about accounts: a value, a proof, or a whole state that proves what never was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tiny_keccak import keccak256

from validation.devnode import consensus, rlp
from validation.devnode.lies import foreign
from validation.devnode.lies.forgery import Draft, Unforgeable, forged
from validation.devnode.lies.lie import Told
from validation.devnode.lies.results import flipped, raised
from validation.devnode.lies.stock import Document, Stock
from validation.devnode.trie import EMPTY_ROOT, Trie

BALANCE, NONCE, CODE = "eth_getBalance", "eth_getTransactionCount", "eth_getCode"
_NO_CODE = "0x" + keccak256(b"").hex()
_NO_STORAGE = "0x" + EMPTY_ROOT.hex()
_STATE = "forged-state"


def proof(change: Callable[[Document, Stock], None]) -> foreign.Change:
    """Changes the answer of `eth_getProof` in place."""

    def tell(told: Told) -> Any:
        if told.method == foreign.PROOF and isinstance(told.result, dict):
            change(told.result, told.stock)
        return told.result

    return tell


def value(method: str, name: str, change: Callable[[str], str]) -> foreign.Change:
    """Changes a value where it is asked for and where the proof's answer repeats it."""

    def tell(told: Told) -> Any:
        if told.method == method and told.result is not None:
            return change(told.result)
        if told.method == foreign.PROOF and isinstance(told.result, dict):
            told.result[name] = change(told.result[name])
        return told.result

    return tell


def code_and_its_hash(told: Told) -> Any:
    """Other code, and in the proof's answer the hash of it, while the proof stays."""
    if told.method == CODE and isinstance(told.result, str):
        return flipped(told.result)
    if told.method == foreign.PROOF and isinstance(told.result, dict):
        code = told.stock.say(CODE, told.params[0], told.params[-1])
        if code is not None:
            told.result["codeHash"] = "0x" + keccak256(consensus.raw(flipped(code))).hex()
    return told.result


def cut(document: Document, _stock: Stock) -> None:
    document["accountProof"] = document["accountProof"][:-1]


def surplus(document: Document, _stock: Stock) -> None:
    document["accountProof"] += document["accountProof"][-1:]


def altered(document: Document, _stock: Stock) -> None:
    if document["accountProof"]:
        document["accountProof"][-1] = flipped(document["accountProof"][-1])


def foreign_nodes(document: Document, stock: Stock) -> None:
    """The nodes that prove another account."""
    other = _another(document, stock)
    if other is not None:
        document["accountProof"] = other["accountProof"]


def another_account(document: Document, stock: Stock) -> None:
    """All that is true of another account, under this one's address."""
    other = _another(document, stock)
    if other is not None:
        document.update({**other, "address": document["address"]})


def _another(document: Document, stock: Stock) -> Document | None:
    own = document["address"].lower()
    return next((p for p in stock.proofs() if p["address"].lower() != own), None)


def absence(told: Told) -> Any:
    """No such account: nothing in every answer, and a proof that ends above it."""
    if told.method in (BALANCE, NONCE) and told.result is not None:
        return "0x0"
    if told.method == CODE and told.result is not None:
        return "0x"
    if told.method == foreign.PROOF and isinstance(told.result, dict):
        nothing = {"balance": "0x0", "nonce": "0x0", "codeHash": _NO_CODE}
        told.result.update(nothing, storageHash=_NO_STORAGE)
        cut(told.result, told.stock)
        for slot in told.result["storageProof"]:
            slot.update(value="0x0", proof=[])
    return told.result


def slot_value(document: Document, _stock: Stock) -> None:
    for slot in document["storageProof"]:
        slot["value"] = raised(slot["value"])


def slot_absence(document: Document, _stock: Stock) -> None:
    for slot in document["storageProof"]:
        slot.update(value="0x0", proof=slot["proof"][:-1])


def storage_root(document: Document, _stock: Stock) -> None:
    document["storageHash"] = flipped(document["storageHash"])


@dataclass(frozen=True, slots=True)
class _State:
    """A state in which everybody has one wei more."""

    trie: Trie
    accounts: dict[str, Document]

    @classmethod
    def made(cls, stock: Stock) -> "_State":
        accounts = {proof["address"].lower(): proof for proof in stock.proofs()}
        for account in accounts.values():
            account["balance"] = raised(account["balance"])
        items = [(_key(address), _encoded(a)) for address, a in accounts.items()]
        return cls(Trie(items), accounts)


def _key(address: str) -> bytes:
    return keccak256(consensus.raw(address))


def _encoded(account: Document) -> bytes:
    counted = [consensus.number(account[name]) for name in ("nonce", "balance")]
    hashes = [consensus.raw(account[name]) for name in ("storageHash", "codeHash")]
    return rlp.encode([*counted, *hashes])


def _state(stock: Stock) -> _State:
    if "state" not in stock.memory:
        stock.memory["state"] = _State.made(stock)
    state: _State = stock.memory["state"]
    return state


def _forge_state(draft: Draft) -> None:
    if draft.number != draft.stock.proved_at:
        raise Unforgeable("its state is not at hand")
    draft.block["stateRoot"] = "0x" + _state(draft.stock).trie.root.hex()
    draft.seal_header()


_tell_blocks = forged(_STATE, _forge_state, lean=True)


def forged_state(told: Told) -> Any:
    """A state of its own under a header that commits to it: each balance is a wei higher."""
    if told.result is None or not told.params or told.method not in (BALANCE, foreign.PROOF):
        return _tell_blocks(told)
    address = str(told.params[0]).lower()
    state = _state(told.stock)
    account = state.accounts.get(address)
    if told.method == BALANCE:
        return account["balance"] if account else told.result
    if account:
        told.result["balance"] = account["balance"]
    nodes = state.trie.proof(_key(address))
    told.result["accountProof"] = ["0x" + node.hex() for node in nodes]
    return told.result
