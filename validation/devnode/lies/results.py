"""Lies that alter a field of a call's result, wherever the field is told."""

from collections.abc import Callable, Iterator
from typing import Any

from validation.devnode.lies.lie import Told
from validation.devnode.lies.stock import Document

type Change = Callable[[Told], Any]

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
A_CENTURY_S = 100 * 365 * 24 * 3600


def flipped(text: str) -> str:
    """The same length, one bit of the last digit different; 0x says 0x01."""
    return text[:-1] + f"{int(text[-1], 16) ^ 1:x}" if len(text) > 2 else "0x01"  # noqa: PLR2004 - bare 0x


def raised(quantity: str) -> str:
    return hex(int(quantity, 16) + 1)


def lowered(quantity: str) -> str:
    return hex(max(0, int(quantity, 16) - 1))


def other_status(status: str) -> str:
    return hex(int(status, 16) ^ 1)


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
        if told.method != method or told.result is None:
            return told.result
        return change(told.result)

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


def shift_logs(receipt: Document) -> None:
    for log in receipt["logs"]:
        log["logIndex"] = raised(log["logIndex"])


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


def double_transaction(block: Document) -> None:
    if block["transactions"]:
        block["transactions"].append(block["transactions"][-1])


def add_withdrawal(block: Document) -> None:
    if block.get("withdrawals") is not None:
        amount = {"address": block["miner"], "amount": "0x3b9aca00"}
        block["withdrawals"].append({"index": "0x7", "validatorIndex": "0x7", **amount})


def forge_transaction_hash(block: Document) -> None:
    first = block["transactions"][:1]
    if first and isinstance(first[0], dict):
        first[0]["hash"] = flipped(first[0]["hash"])
    elif first:
        block["transactions"][0] = flipped(first[0])


def in_a_century(timestamp: str) -> str:
    return hex(int(timestamp, 16) + A_CENTURY_S)


def zero_led(quantity: str) -> str:
    return "0x00" + quantity[2:]
