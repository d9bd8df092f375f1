"""How long an answer may be believed: by what it is about and whether that can still change.

What is final holds for a day. What a reorganisation can undo is tied to its block's hash and is
believed for a slot. What is missing holds for a minute. What a node contradicts itself in is not
kept at all.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, Protocol

import msgspec

from validation.cache.keys import Kind
from validation.rpc.answers import Answer, Unreadable

FINAL_S: Final = 86_400.0
FINAL_STALE_S: Final = 86_400.0
"""How long after that it may still be given out where no node answers: it cannot have changed."""
BLOCK_S: Final = 300.0
"""Data of a block that is not final, under that block's hash."""
POINTER_S: Final = 12.0
"""A slot: which block a number or a transaction belongs to."""
HEAD_S: Final = 2.0
ADDRESS_S: Final = 60.0
MISSING_S: Final = 60.0
PENDING_S: Final = 2.0
JITTER: Final = 0.1

LATEST: Final = "latest"
"""The tag of whatever was read at the head: any reorganisation may have changed it."""


class Finality(Protocol):
    """What is known of the chain's end."""

    def final_number(self) -> int | None:
        """The newest final block; None while it is not known: nothing counts as final then."""

    def is_settled(self, number: int, block_hash: str, /) -> bool:
        """Whether the block is final, and the one that stands at its number."""

    def is_orphaned(self, block_hash: str, /) -> bool:
        """Whether the block is known to have been reorganised away."""


class Unknown:
    """Nothing is known: nothing is final, and nothing orphaned."""

    def final_number(self) -> int | None:
        return None

    def is_settled(self, _number: int, _block_hash: str, /) -> bool:
        return False

    def is_orphaned(self, _block_hash: str, /) -> bool:
        return False


class Lifetime(msgspec.Struct, frozen=True, gc=False):
    """Seconds from the moment before the node was asked."""

    stale_s: float
    expires_s: float
    tags: tuple[str, ...]
    negative: bool = False
    block_hash: str | None = None
    """The block that it stands and falls with; None where it is final or tied to none."""
    home_s: float = 0.0
    """How long its data may lie under that block's hash, beyond what points there."""


def lifetime(
    kind: Kind,
    params: Sequence[object],
    values: Sequence[Any],
    *,
    node: str,
    finality: Finality,
    random: Random,
) -> Lifetime | None:
    """None: not to be kept."""
    for value in values:
        if type(value) is Unreadable:
            return None
    tags = (kind.name, _node_tag(node))
    found = _RULES[kind.name](params, values, tags, finality)
    if found is None:
        return None
    # No two expire at once only because they were asked for at once. Downwards alone: limits are
    # limits, and a day is as good as nine tenths of one.
    share = 1.0 - 2 * JITTER * random.random()
    return Lifetime(
        found.stale_s * share,
        found.expires_s * share,
        found.tags,
        found.negative,
        found.block_hash,
        found.home_s * share,
    )


def _transaction(
    _params: Sequence[object], values: Sequence[Any], tags: tuple[str, ...], finality: Finality
) -> Lifetime | None:
    answer, receipt_answer = values
    if answer is None:
        return _missing(tags) if receipt_answer is None else None
    tx = answer.value
    if not isinstance(tx.block_hash, str):
        return None if receipt_answer is not None else _brief(PENDING_S, tags)
    if receipt_answer is None or receipt_answer.value.block_hash != tx.block_hash:
        return None  # a reorganisation fell between the two, or the node is behind itself
    return _of_block(tx.block_number, tx.block_hash, tags, finality, by_hash=False)


def _block(
    params: Sequence[object], values: Sequence[Any], tags: tuple[str, ...], finality: Finality
) -> Lifetime | None:
    (answer,) = values
    asked = str(params[0])
    if answer is None:
        final = finality.final_number()
        is_ahead = len(asked) < _HASH_CHARS and (final is None or _number(asked) > final)
        # A number that no block has yet may have one any moment.
        return _brief(POINTER_S, tags, negative=True) if is_ahead else _missing(tags)
    block = answer.value
    by_hash = len(asked) == _HASH_CHARS
    return _of_block(block.number, block.hash, tags, finality, by_hash=by_hash)


def _head(
    _params: Sequence[object], values: Sequence[Any], tags: tuple[str, ...], finality: Finality
) -> Lifetime | None:
    (answer,) = values
    if not isinstance(answer, Answer):
        return None
    block_hash = answer.value.hash.lower()
    if finality.is_orphaned(block_hash):
        return None
    return _brief(HEAD_S, (*tags, LATEST, block_tag(block_hash)), block_hash=block_hash)


def _address(
    _params: Sequence[object], _values: Sequence[Any], tags: tuple[str, ...], _: Finality
) -> Lifetime | None:
    return _brief(ADDRESS_S, (*tags, LATEST))


def _header(
    params: Sequence[object], values: Sequence[Any], tags: tuple[str, ...], finality: Finality
) -> Lifetime | None:
    (answer,) = values
    asked = str(params[0])
    if not asked.startswith("0x"):  # a tag: what it means changes with every block
        return _head(params, values, tags, finality)
    if answer is None:
        return _block(params, values, tags, finality)
    header = answer.value
    by_hash = len(asked) == _HASH_CHARS
    told = header.hash.lower() if by_hash else _number(header.number)
    if told != (asked.lower() if by_hash else _number(asked)):
        return None
    return _of_block(header.number, header.hash, tags, finality, by_hash=by_hash)


def _evidence(
    params: Sequence[object], values: Sequence[Any], tags: tuple[str, ...], finality: Finality
) -> Lifetime | None:
    answer, receipts_answer = values
    if answer is None:
        return _missing(tags) if receipts_answer is None else None
    if receipts_answer is None:
        return None  # it serves no receipts yet, or never does
    block, receipts = answer.value, receipts_answer.value
    block_hash = block.hash.lower()
    is_whole = len(receipts) == len(block.transactions) and all(
        receipt.block_hash.lower() == block_hash for receipt in receipts[:1]
    )
    if block_hash != str(params[0]).lower() or not is_whole:
        return None
    return _of_block(block.number, block_hash, tags, finality, by_hash=True)


def _proof(
    params: Sequence[object], values: Sequence[Any], tags: tuple[str, ...], finality: Finality
) -> Lifetime | None:
    """What an account was at a block that is told by its number, its hash or a tag."""
    if not isinstance(values[0], Answer):
        return None
    block = params[2]
    if isinstance(block, dict):  # EIP-1898
        block_hash = str(block.get("blockHash", "")).lower()
        if len(block_hash) != _HASH_CHARS or finality.is_orphaned(block_hash):
            return None
        return _brief(BLOCK_S, (*tags, block_tag(block_hash)), block_hash=block_hash)
    final = finality.final_number()
    if final is not None and _number(str(block)) <= final:
        return Lifetime(FINAL_S, FINAL_S + FINAL_STALE_S, tags)
    return _brief(POINTER_S, (*tags, LATEST))


type _Rule = Callable[[Sequence[object], Sequence[Any], tuple[str, ...], Finality], Lifetime | None]

_RULES: Final[dict[str, _Rule]] = {
    "tx": _transaction,
    "block": _block,
    "head": _head,
    "address": _address,
    "header": _header,
    "evidence": _evidence,
    "proof": _proof,
}
_HASH_CHARS: Final = 66
_node_tags: dict[str, str] = {}


def block_tag(block_hash: str) -> str:
    """What everything that stands and falls with a block is tagged with."""
    return f"block:{block_hash.lower()}"


def _node_tag(node: str) -> str:
    tag = _node_tags.get(node)
    if tag is None:
        tag = f"node:{node}"
        if len(_node_tags) < 1000:  # noqa: PLR2004 - nodes are a handful; a bound all the same
            _node_tags[node] = tag
    return tag


def _of_block(
    number: Any, block_hash: str, tags: tuple[str, ...], finality: Finality, *, by_hash: bool
) -> Lifetime | None:
    block_hash = block_hash.lower()
    if finality.is_orphaned(block_hash):
        return None
    tags = (*tags, f"block:{block_hash}")
    if isinstance(number, str) and finality.is_settled(_number(number), block_hash):
        return Lifetime(FINAL_S, FINAL_S + FINAL_STALE_S, tags)
    if by_hash:
        return _brief(BLOCK_S, tags, block_hash=block_hash)
    return Lifetime(POINTER_S, POINTER_S, tags, block_hash=block_hash, home_s=BLOCK_S)


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 1 << 64  # "latest" and its like: never final


def _missing(tags: tuple[str, ...]) -> Lifetime:
    return _brief(MISSING_S, tags, negative=True)


def _brief(
    seconds: float, tags: tuple[str, ...], *, negative: bool = False, block_hash: str | None = None
) -> Lifetime:
    """Of what may change: never given out when it is stale."""
    return Lifetime(seconds, seconds, tags, negative, block_hash)
