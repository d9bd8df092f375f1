"""Trains the dictionary that small bodies are packed with, from the packaged demo chain.

Run it as `python -m validation.cache.codec.train NUMBER`; it writes `dictionaries/NUMBER.zdict`.
Entries name the dictionary they were written with, so a better one takes a new number and becomes
`zstd.CURRENT`, and the old file stays for as long as entries live.

Every second block is held back, for tests and benchmarks to judge by. Half of the samples have
their fields in geth's order, since the demo node's own is another's.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from validation.cache.codec.zstd import FOLDER
from validation.devnode import archive

SIZE = 64 * 1024
SEED = 20_260_101
_TRANSACTION = (
    "blockHash blockNumber from gas gasPrice maxFeePerGas maxPriorityFeePerGas maxFeePerBlobGas "
    "hash input nonce to transactionIndex value type accessList chainId blobVersionedHashes "
    "authorizationList v r s yParity"
)
_RECEIPT = (
    "blobGasPrice blobGasUsed blockHash blockNumber contractAddress cumulativeGasUsed "
    "effectiveGasPrice from gasUsed logs logsBloom status to transactionHash transactionIndex type"
)


def chosen(packed: archive.Archive, *, held_back: bool) -> Iterator[archive.BlockLines]:
    """The blocks to learn from, or those held back."""
    return (block for n, block in enumerate(packed.blocks) if bool(n % 2) == held_back)


def as_geth(line: bytes, order: str) -> bytes:
    """The same answer with its fields in geth's order, leaving out those that geth has not."""
    fields: dict[str, Any] = msgspec.json.decode(line)
    return msgspec.json.encode({name: fields[name] for name in order.split() if name in fields})


def samples(packed: archive.Archive) -> list[bytes | bytearray | memoryview]:
    chance = random.Random(SEED)  # noqa: S311 - a sample that comes out the same each time
    transactions: list[bytes] = []
    receipts: list[bytes] = []
    headers: list[bytes] = []
    for block in chosen(packed, held_back=False):
        transactions += block.transactions
        receipts += block.receipts
        headers.append(block.header)
    taken: list[bytes | bytearray | memoryview] = list(transactions)
    taken += [as_geth(line, _TRANSACTION) for line in chance.sample(transactions, 1_000)]
    taken += chance.sample(receipts, 500)
    taken += [as_geth(line, _RECEIPT) for line in chance.sample(receipts, 200)]
    taken += headers[::3]
    chance.shuffle(taken)
    return taken


def main() -> None:
    number = int(sys.argv[1])
    packed = archive.read(archive.PACKAGED)
    dictionary = zstandard.train_dictionary(SIZE, samples(packed), level=1, dict_id=number)
    path: Path = FOLDER / f"{number}.zdict"
    path.parent.mkdir(exist_ok=True)
    size = path.write_bytes(dictionary.as_bytes())
    print(f"{path.name}: {size} bytes")  # noqa: T201 - a command speaks to a terminal


if __name__ == "__main__":
    main()
