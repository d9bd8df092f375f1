"""What a proven value means: an account, or the word of a storage slot."""

from typing import NamedTuple, Self

from tiny_keccak import keccak256

from validation.proofs import rlp
from validation.proofs.trie import EMPTY_ROOT

EMPTY_CODE_HASH: bytes = keccak256(b"")
"""The code hash of an account without code."""

_HASH = 32
_ZERO = bytes(_HASH)
_NONCE_BYTES = 8
_FIELDS = 4


class Account(NamedTuple):
    """An account as the state trie holds it."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes

    @classmethod
    def read(cls, value: bytes) -> Self:
        """The account that a leaf's value spells; raises `rlp.Malformed` where it spells none."""
        fields = rlp.decode(value, max_depth=1)
        if isinstance(fields, bytes) or len(fields) != _FIELDS:
            raise rlp.Malformed("an account is a list of four")
        nonce, balance, storage_root, code_hash = fields
        return cls(
            rlp.read_uint(nonce, width=_NONCE_BYTES),
            rlp.read_uint(balance),
            _hash(storage_root, "storage root"),
            _hash(code_hash, "code hash"),
        )


EMPTY_ACCOUNT = Account(0, 0, EMPTY_ROOT, EMPTY_CODE_HASH)
"""What an account is that the trie does not hold."""


def _hash(item: rlp.Item, name: str) -> bytes:
    if not isinstance(item, bytes) or len(item) != _HASH:
        raise rlp.Malformed(f"an account's {name} is no hash of {_HASH} bytes")
    return item


def says_empty(storage_root: bytes, code_hash: bytes) -> bool:
    """Whether two hashes are those of an account that the trie does not hold.

    Nodes spell them in two forms: the hashes of an empty trie and of no code, or zeros.
    """
    return storage_root in {EMPTY_ROOT, _ZERO} and code_hash in {EMPTY_CODE_HASH, _ZERO}


def read_slot(value: bytes | None) -> int:
    """The word that a storage trie's value spells; nought where a proof showed none."""
    if value is None:
        return 0
    word = rlp.read_uint(rlp.decode(value, max_depth=0))
    if not word:
        raise rlp.Malformed("a slot of nought is not held by a storage trie")
    return word
