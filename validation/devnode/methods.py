"""The methods: from parameters to the bytes of a result.

Each tries the well-formed case first, as one look-up; only what misses is examined.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from validation.devnode import params as read
from validation.devnode.chain import NOBODY, Account, Chain
from validation.devnode.errors import RESOURCE_NOT_FOUND, RpcFault

type Method = Callable[[Sequence[Any]], bytes]

NULL = b"null"


def _quoted(text: str) -> bytes:
    return b'"%b"' % text.encode()


def _constant(result: bytes) -> Method:
    def answer(params: Sequence[Any]) -> bytes:
        if params:
            read.counted(params, ())
        return result

    return answer


def _by_hash(table: Mapping[str, bytes], name: str) -> Method:
    def answer(params: Sequence[Any]) -> bytes:
        try:
            (key,) = params
            return table[key]
        except (ValueError, KeyError, TypeError):
            pass  # not the plain case: find out what it is
        (value,) = read.counted(params, (name,))
        return table.get(read.hash_(value, name), NULL)

    return answer


def _block_by_number(chain: Chain, final: int) -> Method:
    def answer(params: Sequence[Any]) -> bytes:
        tag, full = read.counted(params, ("block", "full transactions"))
        number = final if tag == "finalized" else read.block_number(tag, chain.latest)
        full = read.truth(full, "full transactions")
        return chain.block_json(number, full=full) if number <= chain.latest else NULL

    return answer


def _block_by_hash(chain: Chain) -> Method:
    def answer(params: Sequence[Any]) -> bytes:
        value, full = read.counted(params, ("block hash", "full transactions"))
        number = chain.number_of.get(read.hash_(value, "block hash"))
        full = read.truth(full, "full transactions")
        return NULL if number is None else chain.block_json(number, full=full)

    return answer


def _block_receipts(chain: Chain) -> Method:
    def answer(params: Sequence[Any]) -> bytes:
        (value,) = read.counted(params, ("block",))
        number = _located(chain, value)
        return NULL if number is None else chain.receipts_json(number)

    return answer


def _located(chain: Chain, value: object) -> int | None:
    """A tag, number, hash or EIP-1898 object as the number of a block that there is."""
    if isinstance(value, dict):
        value = value["blockNumber"] if "blockNumber" in value else value.get("blockHash")
    if isinstance(value, str) and len(value) == 66:  # noqa: PLR2004 - a hash; numbers are shorter
        return chain.number_of.get(read.hash_(value, "block hash"))
    number = read.block_number(value, chain.latest)
    return number if number <= chain.latest else None


def _newest_only(chain: Chain, value: object) -> None:
    number = _located(chain, value)
    if number is None:
        raise RpcFault(RESOURCE_NOT_FOUND, f"block {read.shown(value)} does not exist here")
    if number != chain.latest:
        raise RpcFault(
            RESOURCE_NOT_FOUND,
            f"state not available at block {number}: this node keeps the state of its newest"
            f" block, {chain.latest}, only",
        )


def _of_account(chain: Chain, field: Callable[[Account], str]) -> Method:
    nobody = _quoted(field(NOBODY))
    table = {address: _quoted(field(account)) for address, account in chain.accounts.items()}
    newest = frozenset((*read.NEWEST_TAGS, hex(chain.latest)))

    def answer(params: Sequence[Any]) -> bytes:
        try:
            address, block = params
            if block in newest:
                return table[address.lower()]
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # not the plain case: find out what it is
        # The block may be left out: EIP-1474 defaults to `latest`.
        address, *rest = read.counted(params, ("address", "block"), optional=1)
        known = read.address(address)
        _newest_only(chain, rest[0] if rest else "latest")
        return table.get(known, nobody)

    return answer


def _proof(chain: Chain) -> Method:
    def answer(params: Sequence[Any]) -> bytes:
        names = ("address", "storageKeys", "block")
        address, slots, *rest = read.counted(params, names, optional=1)
        address, slots = read.address(address), read.slots(slots)
        _newest_only(chain, rest[0] if rest else "latest")
        return chain.proof_json(address, slots)

    return answer


def methods(chain: Chain, *, final: int | None = None) -> Mapping[str, Method]:
    """`final`: the newest block that will never be reorganised; None: all of them."""
    finalized = chain.latest if final is None else final
    version = f"switchyard-devnode/1 (chain made by {chain.made_by})"
    return {
        "eth_chainId": _constant(_quoted(hex(chain.chain_id))),
        "eth_blockNumber": _constant(_quoted(hex(chain.latest))),
        "eth_getBlockByNumber": _block_by_number(chain, finalized),
        "eth_getBlockByHash": _block_by_hash(chain),
        "eth_getTransactionByHash": _by_hash(chain.transaction_json, "transaction hash"),
        "eth_getTransactionReceipt": _by_hash(chain.receipt_json, "transaction hash"),
        "eth_getBlockReceipts": _block_receipts(chain),
        "eth_getBalance": _of_account(chain, lambda account: account.balance),
        "eth_getTransactionCount": _of_account(chain, lambda account: account.nonce),
        "eth_getCode": _of_account(chain, lambda account: account.code),
        "eth_getProof": _proof(chain),
        "web3_clientVersion": _constant(_quoted(version)),
        "net_version": _constant(_quoted(str(chain.chain_id))),
    }
