"""Roots and proofs: a block's list of 200, an account's proof of five nodes, beside py-trie."""

import random
import time
from collections.abc import Callable

import rlp
from eth_hash.auto import keccak

from tests.bench.lines import interleaved, show
from tests.proofs import peer
from validation.devnode.trie import Trie
from validation.proofs import EMPTY_CODE_HASH, EMPTY_ROOT, Account, ordered_root, prove

ITEMS, ITEM_BYTES = 200, 200
ACCOUNTS = 60_000
CHANCE = random.Random(4)


def each(work: Callable[[], object], turns: int, scale: float) -> Callable[[], float]:
    def measure() -> float:
        started = time.process_time()
        for _ in range(turns):
            work()
        return (time.process_time() - started) / turns * scale

    return measure


def roots() -> None:
    values = [CHANCE.randbytes(ITEM_BYTES) for _ in range(ITEMS)]

    def theirs() -> bytes:
        return peer.ordered_root(values)

    if ordered_root(values) != theirs():
        raise SystemExit("the two roots differ: nothing to measure")
    figures = interleaved(
        {"ours": each(lambda: ordered_root(values), 50, 1e3), "py-trie": each(theirs, 3, 1e3)}
    )
    show(f"root of {ITEMS} items", figures, unit="ms", goal="≤ 3 ms")


def proofs() -> None:
    value = rlp.encode([5, 10**18, EMPTY_ROOT, EMPTY_CODE_HASH])
    keys = [keccak(index.to_bytes(4)) for index in range(ACCOUNTS)]
    trie = Trie((key, value) for key in keys)
    key, nodes = next((key, nodes) for key in keys if len(nodes := trie.proof(key)) == 5)

    def ours() -> Account:
        found = prove(trie.root, key, nodes)
        return Account.read(found or b"")

    def theirs() -> object:
        return rlp.decode(peer.proven(trie.root, key, nodes))

    figures = interleaved({"ours": each(ours, 500, 1e6), "py-trie": each(theirs, 100, 1e6)})
    sizes = "+".join(str(len(node)) for node in nodes)
    show(f"account proof of 5 nodes ({sizes} bytes)", figures, unit="µs", goal="≤ 30 µs")
    absent = next(
        (key, nodes)
        for index in range(ACCOUNTS, 2 * ACCOUNTS)
        if len(nodes := trie.proof(key := keccak(index.to_bytes(4)))) == 5
    )
    gone = interleaved({"ours": each(lambda: prove(trie.root, *absent), 500, 1e6)})
    show("proof of absence of 5 nodes", gone, unit="µs", goal="≤ 30 µs")


if __name__ == "__main__":
    roots()
    proofs()
