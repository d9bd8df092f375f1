"""What a node has that can be lied about: a head, a block, transactions, an account."""

from dataclasses import dataclass, replace

from validation.checkpoint import Checkpoint
from validation.drill.errors import DrillError
from validation.drill.reading import (
    Document,
    address,
    block_hash,
    document,
    documents,
    listed,
    quantity,
)
from validation.drill.tape import Tape

SPECIAL_KINDS = frozenset({"creation", "slot", "unfinal"})
ACCOUNT_KINDS = frozenset({"address", "slot"})

_BLOCKS_LOOKED_AT = 8
_MOST_TRANSACTIONS = 250
_BELOW_CHECKPOINT = 3

_NEWEST, _FINAL, _BLOCK, _RECEIPT = "newest block", "finalized block", "block", "receipt"


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
    latest = quantity(newest, "number", _NEWEST)
    newest_hash = block_hash(newest, "hash", _NEWEST)
    top = latest if checkpoint is None else checkpoint.number
    items = [Item(kind="head", subject="head", is_pinned=latest <= top)]
    await tape.ask("eth_getBlockByNumber", "latest", True)
    await tape.ask("eth_getBlockByHash", newest_hash, True)
    await tape.ask("eth_getBlockReceipts", newest_hash)
    for full in (True, False):
        await tape.ask("eth_getBlockByNumber", hex(max(0, latest - 1)), full)
    final = await tape.ask("eth_getBlockByNumber", "finalized", False)
    if final is not None and quantity(document(final, _FINAL), "number", _FINAL) < latest:
        items.append(Item(kind="unfinal", subject=f"block:{latest}"))
    found = await _block(tape, _start(latest, checkpoint)) or await _block(tape, latest)
    if found is not None:
        block, receipts = found
        number = quantity(block, "number", _BLOCK)
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


async def _block(tape: Tape, start: int) -> tuple[Document, list[Document]] | None:
    """The block with the fewest transactions of a few that have logs, and the one before it."""
    found = list[tuple[int, Document, list[Document]]]()
    for number in range(start, max(0, start - _BLOCKS_LOOKED_AT), -1):
        block = await tape.ask("eth_getBlockByNumber", hex(number), True)
        if block is None:
            continue
        document(block, _BLOCK)
        quantity(block, "number", _BLOCK)
        if len(listed(block, "transactions", _BLOCK)) > _MOST_TRANSACTIONS:
            continue
        answer = await tape.ask("eth_getBlockReceipts", block_hash(block, "hash", _BLOCK))
        receipts = documents([] if answer is None else answer, "list of receipts")
        if any([_logs(receipt) for receipt in receipts]):  # noqa: C419 - all are read
            found.append((len(receipts), block, receipts))
    if not found:
        return None
    _, block, receipts = min(found, key=lambda one: one[0])
    number = quantity(block, "number", _BLOCK)
    await tape.ask("eth_getBlockByHash", block["hash"], True)
    for full in (True, False):
        before = await tape.ask("eth_getBlockByNumber", hex(number - 1), full)
    if before is not None:
        before = document(before, "block before it")
        await tape.ask("eth_getBlockReceipts", block_hash(before, "hash", "block before it"))
    return block, receipts


def _logs(receipt: Document) -> list[Document]:
    return documents(listed(receipt, "logs", _RECEIPT), "list of logs")


def _logged(receipts: list[Document]) -> Document:
    return next(receipt for receipt in receipts if _logs(receipt))


def _transactions(receipts: list[Document]) -> list[Item]:
    items = [Item(kind="tx", subject=_named(_logged(receipts)))]
    creation = next((one for one in receipts if one.get("contractAddress")), None)
    if creation is not None:
        items.append(Item(kind="creation", subject=_named(creation)))
    return items


def _named(receipt: Document) -> str:
    return f"tx:{block_hash(receipt, 'transactionHash', _RECEIPT)}"


async def _accounts(tape: Tape, receipts: list[Document], latest: int) -> list[Item]:
    """A contract that wrote a log, and for comparison the account that called it."""
    logged = _logged(receipts)
    writer = address(_logs(logged)[0], "address", "log")
    tape.proved_at = latest
    tape.addresses = [writer, address(logged, "from", _RECEIPT)]
    for one in tape.addresses:
        await tape.ask("eth_getProof", one, [], hex(latest))
    await tape.ask("eth_getCode", writer, hex(latest))
    return [
        Item(kind="address", subject=f"address:{writer}"),
        Item(kind="slot", subject=f"address:{writer}/0x" + "00" * 32),
    ]
