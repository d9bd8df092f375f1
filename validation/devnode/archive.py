"""The packaged chain's file: lines of JSON under Brotli, as `brotli -d` shows them.

Line 1 describes the chain. Then for each block its header (the answer without `transactions`)
preceded by the count, its transactions and its receipts, a line each. Last come the accounts of the
newest state. Documents open with the field that they are looked up by.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli
import msgspec

from validation.devnode.errors import DevnodeError

FORMAT = 1
PACKAGED = Path(__file__).parent / "data" / "chain.json.br"


class ArchiveError(DevnodeError):
    """The file is not a chain that this version reads; the message says why."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    chain_id: int
    client: str
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLines:
    """One block's answers, encoded; `header` lacks `transactions` and keeps its closing brace."""

    header: bytes
    transactions: Sequence[bytes]
    receipts: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    about: About
    blocks: Sequence[BlockLines]
    accounts: Sequence[bytes]


def _led_by(document: Mapping[str, Any], *first: str) -> bytes:
    ordered = {name: document[name] for name in first}
    return msgspec.json.encode({**ordered, **document})


def encode_block(block: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> BlockLines:
    header = {name: value for name, value in block.items() if name != "transactions"}
    return BlockLines(
        header=_led_by(header, "hash", "number"),
        transactions=[_led_by(tx, "hash") for tx in block["transactions"]],
        receipts=[_led_by(receipt, "transactionHash") for receipt in receipts],
    )


def _lines(archive: Archive) -> Iterator[bytes]:
    yield msgspec.json.encode(archive.about)
    for block in archive.blocks:
        yield b"%d %s" % (len(block.transactions), block.header)
        yield from block.transactions
        yield from block.receipts
    yield from archive.accounts


def write(archive: Archive, path: Path) -> int:
    """Writes the archive and returns its size in bytes."""
    packed: bytes = brotli.compress(b"\n".join(_lines(archive)), quality=11, lgwin=24)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(packed)


def read(path: Path) -> Archive:
    """ArchiveError where the file is missing, damaged, or of another format."""
    try:
        return _parse(brotli.decompress(path.read_bytes()).split(b"\n"))
    except OSError as exc:
        raise ArchiveError(f"{path}: {exc.strerror or exc}.") from exc
    except (brotli.error, ValueError, IndexError) as exc:
        raise ArchiveError(f"{path}: not a packaged chain ({exc}).") from exc


def _parse(lines: Sequence[bytes]) -> Archive:
    about = msgspec.json.decode(lines[0], type=About)
    if about.format != FORMAT:
        raise ValueError(f"format {about.format}; this version reads {FORMAT}")
    end = len(lines) - about.accounts
    blocks = list(_blocks(lines, end))
    if not blocks:
        raise ValueError("it holds no blocks")
    return Archive(about=about, blocks=blocks, accounts=lines[end:])


def _blocks(lines: Sequence[bytes], end: int) -> Iterator[BlockLines]:
    at = 1
    while at < end:
        count_text, header = lines[at].split(b" ", 1)
        count = int(count_text)
        first, second, after = at + 1, at + 1 + count, at + 1 + 2 * count
        if after > end:
            raise ValueError(f"the block at line {at + 1} is cut short")
        yield BlockLines(
            header=header, transactions=lines[first:second], receipts=lines[second:after]
        )
        at = after
