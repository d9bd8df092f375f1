"""Rehearses what a web process decides: its own code in this process, on bodies and counts of a
drill's own.
"""

import gzip
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final

import brotli
import msgspec
from django.conf import settings

from console.access.quotas import WINDOW_S, InProcess, Leased, Quotas, Shared
from console.exports import DOWNLOADS
from console.flags.catalogue import API_QUOTAS, BY_KEY, EXPORTS_STREAMING
from console.flags.web import WebDecisions
from console.rehearsals.drilling import Entries, NotShown
from console.rehearsals.load import Answer
from validation.devnode.chain import Chain

_UNITS: Final = 3_000
_CHUNK: Final = 40
_RATE: Final = 1_000_000
# Half as fast as it may: whoever is further ahead of a lease than a second's calls is refused, as
# it should be, and calls without a pause between them would be.
_CALL_EVERY_S: Final = 2 * WINDOW_S / _RATE
_ACCEPTED: Final = "gzip, deflate, br"


def _gunzipped(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except OSError as exc:  # of the bytes, not of the machine
        raise ValueError(str(exc)) from exc


_DECODERS: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {
    b"": lambda body: body,
    b"gzip": _gunzipped,
    b"br": brotli.decompress,
}
_QUOTAS: Final = {InProcess: "process", Shared: "shared", Leased: "leased"}


class _OfWeb:
    """Nothing of it outlives an answer."""

    load = ""
    chunk = _CHUNK

    def __init__(self, flag: str, baseline: str) -> None:
        self.units: Sequence[str] = [str(number) for number in range(_UNITS)]
        self._flag = flag
        self._decided = self._by(baseline)

    def switch(self, variant: str) -> None:
        self._decided = self._by(variant)

    def told(self) -> str:
        return self._of(self._decided)

    def expected(self, variant: str) -> str:
        return self._of(self._by(variant))

    def ask(self, units: Sequence[str]) -> list[Answer]:
        return [self._one(unit) for unit in units]

    def mark(self) -> None:
        return

    def read(self, variant: str, said: Mapping[str, str]) -> Entries | None:
        del variant, said
        return None

    def _by(self, variant: str) -> WebDecisions:
        return WebDecisions.by({self._flag: BY_KEY[self._flag].variants[variant]})

    def _of(self, decided: WebDecisions) -> str:
        raise NotImplementedError

    def _one(self, unit: str) -> Answer:
        raise NotImplementedError


class Answers(_OfWeb):
    load = "answers of the API from 100 bytes to 12 KB, unpacked again as a browser would"

    def __init__(self, flag: str, baseline: str) -> None:
        super().__init__(flag, baseline)
        self._subjects = Chain.load(None).transactions

    def _of(self, decided: WebDecisions) -> str:
        compression = decided.compression
        names = ", ".join(encoding.name for encoding in compression.offered)
        return f"{names or 'nothing'} from {compression.threshold} bytes"

    def _one(self, unit: str) -> Answer:
        number = int(unit)
        body = msgspec.json.encode(self._subjects[number : number + 1 + number % 160])
        plain = [(b"content-type", b"application/json")]
        headers, sent = self._decided.compression.encode(_ACCEPTED, 200, plain, body)
        encoding = dict(headers).get(b"content-encoding", b"")
        read = _DECODERS[encoding](sent)
        wrong = "" if read == body else f"{len(read)} bytes came of {len(body)}"
        return Answer(unit=unit, said=_digest(read), wrong=wrong)


class Exports(_OfWeb):
    load = "downloads of four pages"
    chunk = 10

    def _of(self, decided: WebDecisions) -> str:
        """A download that was gathered first knows its length."""
        name = decided.value(EXPORTS_STREAMING)
        response = DOWNLOADS[name](iter([b"a line\n"]), "text/csv")
        return "buffered" if response.has_header("Content-Length") else "streamed"

    def _one(self, unit: str) -> Answer:
        pages = [f"{unit} {page}\n".encode() * 1_000 for page in range(4)]
        name = self._decided.value(EXPORTS_STREAMING)
        response = DOWNLOADS[name](iter(pages), "text/csv")
        read = b"".join(iter(response))
        response.close()
        wrong = "" if read == b"".join(pages) else f"{len(read)} bytes came"
        return Answer(unit=unit, said=_digest(read), wrong=wrong)


class Calls(_OfWeb):
    load = "calls of a token that has not made all of its minute's"

    def __init__(self, flag: str, baseline: str) -> None:
        super().__init__(flag, baseline)
        self._key = f"drill:{secrets.token_hex(8)}"
        self._quotas = Quotas(_RATE, lambda: self._decided.value(API_QUOTAS))

    def ask(self, units: Sequence[str]) -> list[Answer]:
        time.sleep(len(units) * _CALL_EVERY_S)
        return super().ask(units)

    def told(self) -> str:
        """Looked up twice a second: so long it takes."""
        return _QUOTAS[type(self._quotas.in_force())]

    def _of(self, decided: WebDecisions) -> str:
        return decided.value(API_QUOTAS)

    def _one(self, unit: str) -> Answer:
        wait_s = self._quotas.take(self._key)
        wrong = "" if wait_s is None else f"refused for {wait_s:.0f} s"
        return Answer(unit=unit, said="granted" if wait_s is None else "refused", wrong=wrong)


@contextmanager
def answers(flag: str, baseline: str) -> Iterator[Answers]:
    yield Answers(flag, baseline)


@contextmanager
def exports(flag: str, baseline: str) -> Iterator[Exports]:
    yield Exports(flag, baseline)


@contextmanager
def calls(flag: str, baseline: str) -> Iterator[Calls]:
    if not settings.REDIS_URL:
        raise NotShown("Quotas are rehearsed with the cache server: set REDIS_URL.")
    yield Calls(flag, baseline)


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()
