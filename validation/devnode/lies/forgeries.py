"""What a forged block says instead: one function a forgery, each sealing what it altered."""

from coincurve import PrivateKey
from tiny_keccak import keccak256

from validation.devnode import consensus
from validation.devnode.lies.forgery import Draft, Unforgeable
from validation.devnode.lies.results import (
    add_withdrawal,
    flipped,
    in_a_century,
    raised,
    swap_roots,
)
from validation.devnode.lies.stock import Document

_LIARS_KEY = PrivateKey(keccak256(b"switchyard liar"))
_SIMPLE_TYPES = ("0x0", "0x1", "0x2")


def payment(draft: Draft) -> None:
    """A transaction that was never sent, signed by the liar, for the last simple one."""
    tx, receipt = _last_simple(draft)
    tx["value"] = raised(tx["value"])
    consensus.sign(tx, _LIARS_KEY)
    receipt.update({"transactionHash": tx["hash"], "from": tx["from"]})
    for log in receipt["logs"]:
        log["transactionHash"] = tx["hash"]
    _seal(draft)


def _last_simple(draft: Draft) -> tuple[Document, Document]:
    pairs = zip(reversed(draft.block["transactions"]), reversed(draft.receipts), strict=True)
    for tx, receipt in pairs:
        if tx["type"] in _SIMPLE_TYPES and tx["to"]:
            return tx, receipt
    raise Unforgeable("no simple transaction is in it")


def log_data(draft: Draft) -> None:
    """One bit of the data of every log."""
    logs = [log for receipt in draft.receipts for log in receipt["logs"]]
    for log in logs:
        log["data"] = flipped(log["data"])
    if not logs:
        raise Unforgeable("no logs are in it")
    _seal(draft)


def status(draft: Draft) -> None:
    """What succeeded failed, without logs; what failed succeeded."""
    if not draft.receipts:
        raise Unforgeable("no receipts are in it")
    for receipt in draft.receipts:
        receipt["status"] = "0x1" if receipt["status"] == "0x0" else "0x0"
        if receipt["status"] == "0x0":
            receipt["logs"] = []
        receipt["logsBloom"] = "0x" + consensus.bloom(receipt["logs"]).hex()
    _number_logs(draft)
    _seal(draft)


def _number_logs(draft: Draft) -> None:
    logs = [log for receipt in draft.receipts for log in receipt["logs"]]
    for index, log in enumerate(logs):
        log["logIndex"] = hex(index)


def dropped(draft: Draft) -> None:
    """The first transaction and its receipt are left out, the rest moved up."""
    if len(draft.receipts) < 2:  # noqa: PLR2004 - one to drop and one to tell of
        raise Unforgeable("there is no second transaction")
    gone = draft.receipts.pop(0)
    blob_gas = int(gone.get("blobGasUsed") or "0x0", 16)
    del draft.block["transactions"][0]
    for index, (tx, receipt) in enumerate(
        zip(draft.block["transactions"], draft.receipts, strict=True)
    ):
        less = int(receipt["cumulativeGasUsed"], 16) - int(gone["gasUsed"], 16)
        receipt["cumulativeGasUsed"] = hex(less)
        for document in (tx, receipt, *receipt["logs"]):
            document["transactionIndex"] = hex(index)
    if blob_gas:
        draft.block["blobGasUsed"] = hex(int(draft.block["blobGasUsed"], 16) - blob_gas)
    _number_logs(draft)
    _seal(draft)


def withdrawal(draft: Draft) -> None:
    """A withdrawal that never was."""
    if draft.block.get("withdrawals") is None:
        raise Unforgeable("it is older than withdrawals")
    add_withdrawal(draft.block)
    _seal(draft)


def withdrawals_root(draft: Draft) -> None:
    """The list of withdrawals and their root disagree."""
    draft.block["withdrawalsRoot"] = flipped(draft.block["withdrawalsRoot"])
    draft.seal_header()


def miner(draft: Draft) -> None:
    """Another fee recipient: nothing else in the block depends on it."""
    draft.block["miner"] = flipped(draft.block["miner"])
    draft.seal_header()


def base_fee(draft: Draft) -> None:
    draft.block["baseFeePerGas"] = raised(draft.block["baseFeePerGas"])
    draft.seal_header()


def timestamp(draft: Draft) -> None:
    draft.block["timestamp"] = in_a_century(draft.block["timestamp"])
    draft.seal_header()


def parent(draft: Draft) -> None:
    draft.block["parentHash"] = flipped(draft.block["parentHash"])
    draft.seal_header()


def roots(draft: Draft) -> None:
    swap_roots(draft.block)
    draft.seal_header()


def bloom(draft: Draft) -> None:
    draft.block["logsBloom"] = flipped(draft.block["logsBloom"])
    draft.seal_header()


def gas_used(draft: Draft) -> None:
    draft.block["gasUsed"] = raised(draft.block["gasUsed"])
    draft.seal_header()


def blob_gas(draft: Draft) -> None:
    draft.block["blobGasUsed"] = hex(int(draft.block["blobGasUsed"], 16) + 131_072)
    draft.seal_header()


def _seal(draft: Draft) -> None:
    draft.seal_contents()
    draft.seal_header()
