"""Which pages of other origins may read OFREP's answers: those that OFREP_ORIGINS names.

Never all of them, and never with cookies: who calls shows a token in a header.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from console.wire import Headers

_ASKED: Final = b"authorization, content-type, if-none-match, x-api-key, traceparent, tracestate"
_TOLD: Final = b"etag, retry-after"
_REMEMBERED_S: Final = b"600"


class Cors:
    """`origins` as a browser writes them: https://app.example.com."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def allows(self, headers: Mapping[bytes, bytes]) -> bool:
        return headers.get(b"origin") in self._origins

    def headers_for(self, headers: Mapping[bytes, bytes]) -> Headers:
        """Of every answer: a cache between must know that it depends on who asks."""
        if not self._origins:
            return []
        found: Headers = [(b"vary", b"Origin")]
        origin = headers.get(b"origin")
        if origin is not None and origin in self._origins:
            found += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _TOLD),
            ]
        return found

    def preflight(self, method: str) -> Headers:
        """What else the answer to a browser's question beforehand holds."""
        return [
            (b"access-control-allow-methods", method.encode()),
            (b"access-control-allow-headers", _ASKED),
            (b"access-control-max-age", _REMEMBERED_S),
        ]
