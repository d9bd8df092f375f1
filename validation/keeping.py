"""What is kept of an item beyond its result: the proof of an accusation, and where time went."""

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from validation.evidence import BundleError, pack
from validation.rpc import Span
from validation.second_opinion import Examined
from validation.subjects import Subject
from validation.validators import Grounds

_log = structlog.get_logger(__name__)

BUNDLES_A_RUN = 200
BUNDLE_BYTES = 2 << 20
"""Of one bundle, packed; a larger one is made again when a person asks for it."""
_CHUNK_BYTES = 32 << 20
_DOCUMENT_BYTES = 16 << 20
"""Of one bundle, unpacked: whoever looks at it holds all of it in memory."""
MOST_SPANS = 200
SLOW_MS = 1_000.0


class Keeping:
    """What may still be kept of one chunk's items. A run of which everything is a lie must not
    take this process's memory.
    """

    def __init__(self) -> None:
        self._bundles = BUNDLES_A_RUN
        self._bytes = _CHUNK_BYTES

    def bundle(self, subject: Subject, accused: Examined, *, grounds: Grounds) -> bytes | UnsetType:
        """The packed proof of what `accused` says, as long as there is room."""
        if self._bundles <= 0 or self._bytes <= 0:
            return UNSET
        try:
            packed = pack(
                subject,
                level=accused.level,
                outcome=accused.outcome,
                heard=accused.heard,
                grounds=grounds,
                made_at=grounds.now(),
                most_bytes=_DOCUMENT_BYTES,
            )
        except BundleError as error:
            _log.info("evidence.not_kept", subject=str(subject), reason=str(error))
            return UNSET
        except Exception:  # noqa: BLE001 - a verdict stands without it, and so does its chunk
            _log.exception("evidence.failed", subject=str(subject))
            return UNSET
        if len(packed) > BUNDLE_BYTES:
            _log.info("evidence.not_kept", subject=str(subject), bytes=len(packed))
            return UNSET
        self._bundles -= 1
        self._bytes -= len(packed)
        return packed


def spans_of(examined: Examined) -> tuple[Span, ...]:
    """Where the time of its questions went, one after the other, unless it told by itself."""
    told = examined.outcome.spans
    if told is not UNSET:
        return told[:MOST_SPANS]
    found: list[Span] = []
    asked_at = 0.0
    for heard in examined.heard:
        spans = [
            msgspec.structs.replace(span, at_ms=round(asked_at + span.at_ms, 3))
            for span in heard.reply.spans
        ]
        asked_at = max((span.at_ms + span.ms for span in spans), default=asked_at)
        found += spans
    return tuple(found[:MOST_SPANS])
