"""A download of many rows: how soon its first byte comes, and how much is held at once."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

import msgspec

from console.experiments.claims import Claim
from console.experiments.schedule import Arm
from console.exports import DOWNLOADS


class Download(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`pages` of `rows`, as an export reads them."""

    pages: int = 20
    rows: int = 1_000


@contextmanager
def exporting(claim: Claim, seed: int) -> Iterator["Exporting"]:
    yield Exporting(msgspec.convert(claim.workload, Download), seed, claim)


class Exporting:
    def __init__(self, download: Download, seed: int, claim: Claim) -> None:
        self._download, self._seed, self._claim = download, seed, claim

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        return [self._one(pair, arm) for arm in arms]

    def _one(self, pair: int, arm: Arm) -> Mapping[str, float]:
        held = _Held()
        choice = str(self._claim.value_of(arm.variant))
        began = time.perf_counter()
        response = DOWNLOADS[choice](held.read(self._pages(pair)), "application/x-ndjson")
        body: Iterator[bytes] = iter(response)
        first = next(body)
        first_s = time.perf_counter() - began
        held.sent(first)
        total = len(first)
        for chunk in body:
            held.sent(chunk)
            total += len(chunk)
        response.close()
        return {
            "bytes": total,
            "first_byte_ms": first_s * 1e3,
            "wall_ms": (time.perf_counter() - began) * 1e3,
            "held_bytes": held.most,
        }

    def _pages(self, pair: int) -> Iterator[bytes]:
        chance = Random(f"{self._seed} {pair}")  # noqa: S311 - a draw, no secret
        for _ in range(self._download.pages):
            yield b"".join(_row(chance) for _ in range(self._download.rows))


def _row(chance: Random) -> bytes:
    subject = "0x%064x" % chance.getrandbits(256)  # noqa: UP031 - a width
    return msgspec.json.encode({"subject": subject, "verdict": "valid", "level": 2}) + b"\n"


class _Held:
    """Bytes read and not sent yet."""

    def __init__(self) -> None:
        self._now = self.most = 0

    def read(self, pages: Iterator[bytes]) -> Iterator[bytes]:
        for page in pages:
            self._now += len(page)
            self.most = max(self.most, self._now)
            yield page

    def sent(self, chunk: bytes) -> None:
        self._now -= len(chunk)
