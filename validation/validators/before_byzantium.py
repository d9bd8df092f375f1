"""Receipts from before Byzantium (EIP-658), which committed to a state root each.

Some nodes keep none of them and tell the status instead, as they know it. That is no lie, but
nothing that hashes to the receipts root either.
"""

from typing import Final

from msgspec.structs import replace

from validation.rpc.schema import Header, Receipt
from validation.validators.block_evidence import BlockEvidence, Result, Unserved

_BYZANTIUM: Final = 4_370_000
_ETHEREUM: Final = 1


def receipts_result(evidence: BlockEvidence, chain_id: int | None) -> Result:
    """Of the evidence's receipts root, where a mismatch may be owed to roots that are not given."""
    result, block = evidence.receipts_root, evidence.block
    if result.flaw is None or not is_possible(block, chain_id):
        return result
    if all(isinstance(receipt.root, str) for receipt in evidence.receipts):
        return result
    return Result(skip=_missing(evidence.node, block))


def rootless(
    receipt: Receipt, known: Receipt, block: Header, node: str, chain_id: int | None
) -> tuple[Receipt, Unserved] | None:
    """The receipt with the root that it does not give, and how to say that; None where it has one
    or needs none.
    """
    is_given = isinstance(receipt.root, str) or not isinstance(known.root, str)
    if is_given or not is_possible(block, chain_id):
        return None
    return replace(receipt, root=known.root), _missing(node, block)


def is_possible(header: Header, chain_id: int | None) -> bool:
    """Whether the block may be from before Byzantium."""
    if chain_id == _ETHEREUM:
        return int(header.number, 16) < _BYZANTIUM
    return not isinstance(header.base_fee_per_gas, str) and int(header.difficulty, 16) > 0


def _missing(node: str, block: Header) -> Unserved:
    text = (
        f"{node} gives no state roots in the receipts of block {int(block.number, 16)}, which"
        " commits to them if it is from before Byzantium: only a node that keeps them can prove it"
    )
    return Unserved("receipts_not_served", text)
