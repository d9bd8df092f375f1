"""Merkle-Patricia proofs and roots, over bytes alone.

Enters: encoded values, proof nodes, a root. Leaves: a root, or what a proof proves. Depends on
nothing of Switchyard.
"""

from validation.proofs.accounts import (
    EMPTY_ACCOUNT,
    EMPTY_CODE_HASH,
    Account,
    read_slot,
    says_empty,
)
from validation.proofs.proof import BadProof, prove
from validation.proofs.trie import EMPTY_ROOT, ordered_root

__all__ = [
    "EMPTY_ACCOUNT",
    "EMPTY_CODE_HASH",
    "EMPTY_ROOT",
    "Account",
    "BadProof",
    "ordered_root",
    "prove",
    "read_slot",
    "says_empty",
]
