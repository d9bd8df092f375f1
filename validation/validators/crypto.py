"""Keccak, sender recovery and the two derived addresses, over well-kept libraries only."""

from functools import lru_cache

from coincurve import PublicKey
from tiny_keccak import keccak256

from validation.validators import rlp

__all__ = [
    "bloom_bits",
    "checksum_address",
    "created_address",
    "keccak256",
    "keccak_hex",
    "recover",
    "signed",
]

HALF_ORDER = bytes.fromhex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
"""Half the order of secp256k1: since Homestead (EIP-2) no larger s is accepted."""

_LAST_LOW_DIGIT = "7"


def keccak_hex(content: str) -> str:
    """Keccak of bytes given in hex, in hex."""
    return keccak256(bytes.fromhex(content)).hex()


def signed(r: str, s: str, parity: int) -> bytes:
    """The 65 bytes of a signature from its hex quantities."""
    return bytes.fromhex(r[2:].zfill(64) + s[2:].zfill(64)) + bytes((parity,))


def recover(signature: bytes, digest: bytes) -> str:
    """The address that signed, in lower case; raises `ValueError` where no key fits."""
    key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return "0x" + keccak256(key.format(compressed=False)[1:])[12:].hex()


def created_address(sender: str, nonce: str) -> str:
    """The contract that a creation by `sender` with `nonce` makes."""
    return "0x" + keccak_hex(rlp.sequence(rlp.address(sender) + rlp.quantity(nonce)))[24:]


def checksum_address(address: str) -> str:
    """The EIP-55 form of an address in whatever case."""
    digits = address[2:].lower()
    nibbles = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if nibble > _LAST_LOW_DIGIT else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )


@lru_cache(maxsize=8192)
def bloom_bits(item: str) -> int:
    """The three of 2048 bits that an address or a topic sets in a bloom filter."""
    digest = keccak256(bytes.fromhex(item[2:]))
    bits = 0
    for start in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[start : start + 2]) & 2047)
    return bits
