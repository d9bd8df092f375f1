"""What a node has that can be lied about: a head, a block, transactions, an account."""

from dataclasses import dataclass, replace
from typing import Any

from validation.checkpoint import Checkpoint
from validation.drill.errors import DrillError
from validation.drill.tape import Tape

SPECIAL_KINDS = frozenset({"creation", "slot", "unfinal"})
ACCOUNT_KINDS = frozenset({"address", "slot"})

_BLOCKS_LOOKED_AT = 8
_MOST_TRANSACTIONS = 250
_BELOW_CHECKPOINT = 3

type _Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A subject, and what it is an example of: the kinds of `Lie.promises`."""

    kind: str
    subject: str
    is_pinned: bool = True
    """Whether it is at or below the checkpoint, so that headers bind it."""


async def gather(tape: Tape, checkpoint: Checkpoint | None = None) -> list[Item]:
    """Asks for all that lies are made of. DrillError where there is nothing to lie about."""
    newest = await tape.ask("eth_getBlockByNumber", "latest", False)
    if not isinstance(newest, dict):
        raise DrillError(
            "The node does not tell its newest block, so there is nothing to lie about."
        )
    latest = int(newest["number"], 16)
    top = latest if checkpoint is None else checkpoint.number
    items = [Item(kind="head", subject="head", is_pinned=latest <= top)]
    await tape.ask("eth_getBlockByNumber", "latest", True)
    await tape.ask("eth_getBlockByHash", newest["hash"], True)
    await tape.ask("eth_getBlockReceipts", newest["hash"])
    for full in (True, False):
        await tape.ask("eth_getBlockByNumber", hex(max(0, latest - 1)), full)
    final = await tape.ask("eth_getBlockByNumber", "finalized", False)
    if isinstance(final, dict) and int(final["number"], 16) < latest:
        items.append(Item(kind="unfinal", subject=f"block:{latest}"))
    found = await _block(tape, _start(latest, checkpoint)) or await _block(tape, latest)
    if found is not None:
        block, receipts = found
        number = int(block["number"], 16)
        inside = [Item(kind="block", subject=f"block:{number}"), *_transactions(receipts)]
        items += [replace(item, is_pinned=number <= top) for item in inside]
        accounts = await _accounts(tape, receipts, latest)
        items += [replace(item, is_pinned=latest <= top) for item in accounts]
    return items


def _start(latest: int, checkpoint: Checkpoint | None) -> int:
    """Near the checkpoint, so that the way to it is short, and below it, where it binds; above it
    where there is nothing below.
    """
    if checkpoint is None or checkpoint.number > latest:
        return latest
    below = checkpoint.number - _BELOW_CHECKPOINT
    return (
        below if below > _BLOCKS_LOOKED_AT else min(latest, checkpoint.number + _BLOCKS_LOOKED_AT)
    )


async def _block(tape: Tape, start: int) -> tuple[_Document, list[_Document]] | None:
    """The block with the fewest transactions of a few that have logs, and the one before it."""
    found = list[tuple[int, _Document, list[_Document]]]()
    for number in range(start, max(0, start - _BLOCKS_LOOKED_AT), -1):
        block = await tape.ask("eth_getBlockByNumber", hex(number), True)
        if not isinstance(block, dict) or len(block["transactions"]) > _MOST_TRANSACTIONS:
            continue
        receipts = await tape.ask("eth_getBlockReceipts", block["hash"]) or []
        if any(receipt["logs"] for receipt in receipts):
            found.append((len(receipts), block, receipts))
    if not found:
        return None
    _, block, receipts = min(found, key=lambda one: one[0])
    number = int(block["number"], 16)
    await tape.ask("eth_getBlockByHash", block["hash"], True)
    for full in (True, False):
        before = await tape.ask("eth_getBlockByNumber", hex(number - 1), full)
    if before:
        await tape.ask("eth_getBlockReceipts", before["hash"])
    return block, receipts


def _transactions(receipts: list[_Document]) -> list[Item]:
    logged = next(receipt for receipt in receipts if receipt["logs"])
    items = [Item(kind="tx", subject=f"tx:{logged['transactionHash']}")]
    creation = next((one for one in receipts if one.get("contractAddress")), None)
    if creation is not None:
        items.append(Item(kind="creation", subject=f"tx:{creation['transactionHash']}"))
    return items


async def _accounts(tape: Tape, receipts: list[_Document], latest: int) -> list[Item]:
    """A contract that wrote a log, and for comparison the account that called it."""
    logged = next(receipt for receipt in receipts if receipt["logs"])
    address = logged["logs"][0]["address"].lower()
    tape.proved_at = latest
    tape.addresses = [address, logged["from"].lower()]
    for one in tape.addresses:
        await tape.ask("eth_getProof", one, [], hex(latest))
    await tape.ask("eth_getCode", address, hex(latest))
    return [
        Item(kind="address", subject=f"address:{address}"),
        Item(kind="slot", subject=f"address:{address}/0x" + "00" * 32),
    ]
