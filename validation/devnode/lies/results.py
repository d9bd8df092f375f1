"""Lies about a call's result: a field altered, or the truth about something else."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from validation.devnode.lies.lie import Told

type Document = dict[str, Any]
type Change = Callable[[Told], Any]

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
A_CENTURY_S = 100 * 365 * 24 * 3600


def flipped(text: str) -> str:
    """The same length, one bit of the last digit different; 0x says 0x01."""
    return text[:-1] + f"{int(text[-1], 16) ^ 1:x}" if len(text) > 2 else "0x01"  # noqa: PLR2004 - bare 0x


def raised(quantity: str) -> str:
    return hex(int(quantity, 16) + 1)


def transactions(told: Told) -> Iterator[Document]:
    """The transaction answered, or those inside the block answered."""
    result = told.result
    if not isinstance(result, dict):
        return
    if "r" in result:
        yield result
    yield from (tx for tx in result.get("transactions", ()) if isinstance(tx, dict))


def receipts(told: Told) -> Iterator[Document]:
    found = told.result if isinstance(told.result, list) else [told.result]
    yield from (r for r in found if isinstance(r, dict) and "cumulativeGasUsed" in r)


def blocks(told: Told) -> Iterator[Document]:
    if isinstance(told.result, dict) and "stateRoot" in told.result:
        yield told.result


type Pick = Callable[[Told], Iterator[Document]]


def altered(pick: Pick, name: str, change: Callable[[str], object]) -> Change:
    """Changes one field of every document that `pick` finds and that has it."""

    def tell(told: Told) -> Any:
        for document in pick(told):
            if document.get(name) is not None:
                document[name] = change(document[name])
        return told.result

    return tell


def answering(method: str, change: Callable[[Any], object]) -> Change:
    """Changes the whole result of one method."""

    def tell(told: Told) -> Any:
        return change(told.result) if told.method == method else told.result

    return tell


def reshaped(pick: Pick, change: Callable[[Document], None]) -> Change:
    def tell(told: Told) -> Any:
        for document in pick(told):
            change(document)
        return told.result

    return tell


def swap_signature(tx: Document) -> None:
    tx["r"], tx["s"] = tx["s"], tx["r"]


def high_s(tx: Document) -> None:
    """The other signature that recovers to the same sender: forbidden since EIP-2."""
    tx["s"] = hex(SECP256K1_N - int(tx["s"], 16))
    for name in ("v", "yParity"):
        if name in tx:
            v = int(tx[name], 16)
            # 0 and 1 swap; so do 27 and 28, and EIP-155's 35 and 36 onwards.
            tx[name] = hex(v ^ 1 if v < 2 else v + 1 if v % 2 else v - 1)  # noqa: PLR2004 - as above


def alter_log(receipt: Document) -> None:
    for log in receipt["logs"]:
        log["data"] = flipped(log["data"])


def drop_log(receipt: Document) -> None:
    if receipt["logs"]:
        receipt["logs"].pop()


def unknown_type(tx: Document) -> None:
    tx["type"] = "0x7d"


def unheard_field(document: Document) -> None:
    document["consensusSeal"] = "0x01"


def lose_nonce(tx: Document) -> None:
    del tx["nonce"]


def swap_roots(block: Document) -> None:
    one, other = "transactionsRoot", "receiptsRoot"
    block[one], block[other] = block[other], block[one]


def drop_transaction(block: Document) -> None:
    if block["transactions"]:
        block["transactions"].pop()


def forge_transaction_hash(block: Document) -> None:
    first = block["transactions"][:1]
    if first and isinstance(first[0], dict):
        first[0]["hash"] = flipped(first[0]["hash"])
    elif first:
        block["transactions"][0] = flipped(first[0])


def _decoded(text: bytes) -> Any:
    return msgspec.json.decode(text)


def _neighbour(told: Told) -> str:
    """The hash of another transaction of the chain."""
    hashes = told.chain.transactions
    return hashes[(hashes.index(told.params[0].lower()) + 1) % len(hashes)]


def another_transaction(told: Told) -> Any:
    if told.method != "eth_getTransactionByHash":
        return told.result
    return _decoded(told.chain.transaction_json[_neighbour(told)])


def another_receipt(told: Told) -> Any:
    if told.method != "eth_getTransactionReceipt":
        return told.result
    return _decoded(told.chain.receipt_json[_neighbour(told)])


_PLACE = ("transactionHash", "transactionIndex", "blockHash", "blockNumber", "from", "to", "type")


def relabelled_receipt(told: Told) -> Any:
    """Another transaction's receipt, wearing everything by which this one would be known."""
    if told.method != "eth_getTransactionReceipt":
        return told.result
    worn = {name: told.result[name] for name in _PLACE}
    receipt = {**another_receipt(told), **worn, "contractAddress": told.result["contractAddress"]}
    for log in receipt["logs"]:
        log.update({name: worn[name] for name in _PLACE[:4]})
    return receipt


def another_block(told: Told) -> Any:
    for block in blocks(told):
        number = int(block["number"], 16)
        full = bool(told.params[1:]) and told.params[1] is True
        return _decoded(told.chain.block_json(number - 1 if number else 1, full=full))
    return told.result


def nothing(told: Told) -> Any:
    """Null for what exists; the node's own facts stay."""
    known = told.method.startswith("eth_get")
    return None if known and isinstance(told.result, dict | list) else told.result


def _proof(told: Told) -> Document | None:
    return told.result if told.method == "eth_getProof" else None


def cut_proof(told: Told) -> Any:
    if proof := _proof(told):
        proof["accountProof"].pop()
    return told.result


def foreign_proof(told: Told) -> Any:
    """The proof of another account."""
    if proof := _proof(told):
        others = (a for a in told.chain.addresses if a != proof["address"].lower())
        for other in itertools.islice(others, 1):
            nodes: Mapping[str, Any] = _decoded(told.chain.proof_json(other, ()))
            proof["accountProof"] = nodes["accountProof"]
    return told.result


def long_ago(number: str) -> str:
    return hex(max(0, int(number, 16) - 100))


def in_a_century(timestamp: str) -> str:
    return hex(int(timestamp, 16) + A_CENTURY_S)


def zero_led(quantity: str) -> str:
    return "0x00" + quantity[2:]
