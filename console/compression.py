"""Answers made smaller for who accepts it: variants by name, each an order of encodings to offer.

Only of whole answers: a stream goes out as it is drawn. Pages that show a secret mask it (Django's
CSRF token) or show it once, so that the length of many answers tells nothing (BREACH).
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import brotli

from console.wire import Headers

# Beyond these a page would hold its thread too long: less effort, then none.
_EASY = 256 * 1024
_LARGEST = 4 * 1024 * 1024
_WHOLE: Final = frozenset({200, 201, 202, 203}) | frozenset(range(400, 600))
_TEXTUAL: Final = frozenset(
    {
        *("text/html", "text/plain", "text/css", "text/csv", "text/javascript", "text/xml"),
        *("application/json", "application/problem+json", "application/x-ndjson"),
        *("application/javascript", "application/xml", "application/manifest+json"),
        *("application/openmetrics-text", "application/yaml", "image/svg+xml"),
    }
)


class Encoding(Protocol):
    """One content coding, as `Accept-Encoding` names it."""

    name: str

    def encode(self, body: bytes) -> bytes: ...


class Gzip:
    name = "gzip"

    def encode(self, body: bytes) -> bytes:
        # No time within: the same page has the same bytes.
        return gzip.compress(body, 6 if len(body) <= _EASY else 1, mtime=0)


class Brotli:
    """Of a low quality: pages are made anew each time, and 11 takes a hundred times as long."""

    name = "br"

    def encode(self, body: bytes) -> bytes:
        quality = 4 if len(body) <= _EASY else 1
        encoded: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=quality)
        return encoded


# What is offered, best first, by variant of `web.compression`.
COMPRESSIONS: Final[Mapping[str, tuple[Encoding, ...]]] = {
    "none": (),
    "gzip": (Gzip(),),
    "brotli": (Brotli(), Gzip()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """`offered`, best first; a body below `threshold` bytes goes out as it is."""

    offered: tuple[Encoding, ...] = ()
    threshold: int = 1024

    def encode(
        self, accepted: str, status: int, headers: Headers, body: bytes
    ) -> tuple[Headers, bytes]:
        """The answer as it goes out to who sent `accepted` as Accept-Encoding."""
        if not self.offered or not self.threshold <= len(body) <= _LARGEST:
            return headers, body
        if not _can_shrink(status, headers):
            return headers, body
        encoding = negotiate(accepted, self.offered)
        smaller = encoding.encode(body) if encoding else body
        if encoding is None or len(smaller) >= len(body):
            return _varying(headers), body
        return _encoded(_varying(headers), encoding.name, len(smaller)), smaller


NO_COMPRESSION: Final = Compression()


def negotiate(accepted: str, offered: tuple[Encoding, ...]) -> Encoding | None:
    """What the client likes best of what is offered; None: the answer as it is."""
    wanted = _weights(accepted)
    others = wanted.get("*", 0.0)
    best, most = None, wanted.get("identity", 0.0)
    for encoding in offered:
        weight = wanted.get(encoding.name, others)
        # The first offered of those liked alike; better than plain where plain is liked as well.
        if weight > most or (weight == most > 0 and best is None):
            best, most = encoding, weight
    return best


def _weights(accepted: str) -> dict[str, float]:
    """By name; a weight that is none refuses, as the header's own rules have it for 0."""
    found = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        weight = 1.0
        for parameter in parameters.split(";"):
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = _weight(value.strip())
        if name.strip():
            found[name.strip()] = weight
    return found


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


def _can_shrink(status: int, headers: Headers) -> bool:
    named = {name: value.decode("latin-1").lower() for name, value in headers}
    kind = named.get(b"content-type", "").partition(";")[0].strip()
    is_fixed = b"content-encoding" in named or "no-transform" in named.get(b"cache-control", "")
    return status in _WHOLE and kind in _TEXTUAL and not is_fixed


def _varying(headers: Headers) -> Headers:
    """A cache must keep what one client accepts from another that does not."""
    before = [value.decode("latin-1") for name, value in headers if name == b"vary"]
    names = [name.strip() for value in before for name in value.split(",") if name.strip()]
    if "*" not in names and "accept-encoding" not in {name.lower() for name in names}:
        names.append("Accept-Encoding")
    kept = [(name, value) for name, value in headers if name != b"vary"]
    return [*kept, (b"vary", ", ".join(names).encode("latin-1"))]


def _encoded(headers: Headers, name: str, length: int) -> Headers:
    """Other bytes than the strong ETag named, so it becomes a weak one."""
    kept = [
        (key, b"W/" + value if key == b"etag" and not value.startswith(b"W/") else value)
        for key, value in headers
        if key not in {b"content-length", b"accept-ranges"}
    ]
    added = [(b"content-encoding", name.encode()), (b"content-length", b"%d" % length)]
    return [*kept, *added]
