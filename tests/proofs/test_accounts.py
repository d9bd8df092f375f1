"""Accounts and slots: what a proven value means, and both forms of the empty account."""

import pytest
import rlp as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.proofs import (
    EMPTY_ACCOUNT,
    EMPTY_CODE_HASH,
    EMPTY_ROOT,
    Account,
    read_slot,
    rlp,
    says_empty,
)

ZERO = bytes(32)
word = st.integers(0, 2**256 - 1)
hashes = st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), word, hashes, hashes)
def test_an_account_is_read_as_the_trie_holds_it(
    nonce: int, balance: int, root: bytes, code: bytes
) -> None:
    value = peer.encode([nonce, balance, root, code])
    assert Account.read(value) == (nonce, balance, root, code)


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_an_account_or_refused(value: bytes) -> None:
    try:
        account = Account.read(value)
    except rlp.Malformed:
        return
    assert peer.encode(list(account)) == value


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (b"a", "list of four"),
        ([1, 2, EMPTY_ROOT], "list of four"),
        ([1, 2, EMPTY_ROOT, EMPTY_CODE_HASH, 5], "list of four"),
        ([b"\x00\x01", 2, EMPTY_ROOT, EMPTY_CODE_HASH], "leading zeros"),
        ([2**64, 2, EMPTY_ROOT, EMPTY_CODE_HASH], "9 bytes, where 8"),
        ([1, 2**256, EMPTY_ROOT, EMPTY_CODE_HASH], "33 bytes, where 32"),
        ([1, 2, EMPTY_ROOT[1:], EMPTY_CODE_HASH], "storage root is no hash"),
        ([1, 2, EMPTY_ROOT, b""], "code hash is no hash"),
        ([1, 2, [EMPTY_ROOT], EMPTY_CODE_HASH], "nested too deep"),
    ],
)
def test_what_is_no_account_is_refused_with_the_reason(fields: object, why: str) -> None:
    with pytest.raises(rlp.Malformed, match=why):
        Account.read(peer.encode(fields))


def test_the_empty_account_has_the_hashes_of_nothing() -> None:
    assert Account(0, 0, EMPTY_ROOT, EMPTY_CODE_HASH) == EMPTY_ACCOUNT
    assert EMPTY_ROOT.hex().startswith("56e81f17")
    assert EMPTY_CODE_HASH.hex().startswith("c5d24601")


@pytest.mark.parametrize("root", [EMPTY_ROOT, ZERO])
@pytest.mark.parametrize("code", [EMPTY_CODE_HASH, ZERO])
def test_an_absent_account_may_be_spelt_in_both_forms(root: bytes, code: bytes) -> None:
    assert says_empty(root, code)
    assert not says_empty(b"\x01" * 32, code)
    assert not says_empty(root, b"\x01" * 32)


@settings(deadline=None)
@given(st.integers(1, 2**256 - 1))
def test_a_slot_is_a_word(number: int) -> None:
    assert read_slot(peer.encode(number)) == number


def test_a_slot_that_is_not_there_is_nought_and_none_is_held() -> None:
    assert read_slot(None) == 0
    for held in (b"\x80", b"\xc0", b"\x81\x01", b"\x82\x00\x01", peer.encode(b"\x01" * 33)):
        with pytest.raises(rlp.Malformed):
            read_slot(held)
