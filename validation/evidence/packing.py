"""A bundle made of what a validation heard, packed to be kept, and read again with bounds."""

from collections.abc import Sequence
from typing import Final

import msgspec
import zstandard
from msgspec import UNSET, Raw

from validation.evidence import links
from validation.evidence.bundle import (
    Bundle,
    Chain,
    Claimed,
    Context,
    Exchange,
    Incomplete,
    NothingToProve,
    Question,
    TooLarge,
    Unreadable,
    decoded,
    encoded,
    minified,
)
from validation.rpc import Call
from validation.rpc.strict import check_value
from validation.subjects import Subject
from validation.validators import BlockRef, Finality, Grounds, Heard, Outcome
from validation.validators.registry import default_level

MOST_BYTES: Final = 64 << 20
"""Of a document: the headers of 8 192 linked blocks take a fifth of it."""
MOST_PACKED: Final = 16 << 20

_ZSTD_LEVEL = 6
# What a node's answer may be nested, and the document around it.
_MOST_DEPTH = 72
# What indenting may come to; beyond it a document is for programs.
_MOST_INDENTED = 16 << 20
_KIB = 1024


def pack(
    subject: Subject,
    *,
    level: int | None,
    outcome: Outcome,
    heard: Sequence[Heard],
    grounds: Grounds,
    made_at: float,
    most_bytes: int = MOST_BYTES,
) -> bytes:
    """The packed bundle of a verdict, made of all that it rests on (`validate(heard=)`).

    `level` as it was asked; None is the kind's `default_level`. BundleError where there can be
    none: nothing was answered, or not all of it for this item, or it takes more than is kept.
    `most_bytes`: of the document.
    """
    if not heard:
        raise NothingToProve(f"{subject}: no node answered, so there is nothing to prove with")
    asked = default_level(subject.kind, grounds) if level is None else level
    if not links.are_heard(outcome, heard, grounds.checkpoint):
        raise Incomplete(
            f"{subject}: the headers that link it to the checkpoint were asked for earlier,"
            " so they are not among its answers"
        )
    exchanges = tuple(_exchange(each) for each in heard)
    answered = sum(len(question.result) for each in exchanges for question in each.questions)
    _check_size(subject, answered, most_bytes)  # before it is written out
    bundle = Bundle(
        subject=str(subject),
        level=asked,
        made_at=round(made_at, 3),
        context=_context(grounds, outcome.block),
        outcome=Claimed(
            verdict=outcome.verdict,
            level=outcome.level,
            reason=outcome.reason,
            checks=outcome.checks,
            node=outcome.node,
            block=outcome.block,
            agreement=outcome.agreement,
            caught=() if outcome.caught is UNSET else outcome.caught,
        ),
        exchanges=exchanges,
    )
    text = encoded(bundle)
    _check_size(subject, len(text), most_bytes)
    packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(text)
    if len(packed) > MOST_PACKED:
        raise TooLarge(f"{subject}: {_mib(len(packed))} packed, {_mib(MOST_PACKED)} are kept")
    return packed


def unpack(packed: bytes) -> Bundle:
    """The bundle that `pack` made. Unreadable where it is none."""
    return decoded(_unpacked(packed))


def document(packed: bytes) -> bytes:
    """The bundle as a person keeps it: JSON that `verify` takes. Indented where that cannot make
    much of it: an answer of commas alone would become a hundred times as long.
    """
    text = _unpacked(packed)
    lines = sum(text.count(mark) for mark in (b",", b"[", b"]", b"{", b"}"))
    if len(text) + lines * (2 * _MOST_DEPTH + 1) > _MOST_INDENTED:
        return text
    return msgspec.json.format(text, indent=2) + b"\n"


def read(text: bytes) -> Bundle:
    """The bundle in a file, whoever wrote it. Unreadable or TooLarge say in a line why not."""
    if len(text) > MOST_BYTES:
        raise TooLarge(f"the file has {_mib(len(text))}, a bundle at most {_mib(MOST_BYTES)}")
    text = text.strip()
    if text[:1] != b"{":
        raise Unreadable("not a proof bundle: the file does not begin with {")
    try:
        check_value(text, max_depth=_MOST_DEPTH)
    except ValueError as exc:  # Refused; or of a number with thousands of digits
        raise Unreadable(f"not a proof bundle: {exc}") from None
    return decoded(text)


def _check_size(subject: Subject, octets: int, most: int) -> None:
    if octets > min(most, MOST_BYTES):
        text = f"{subject}: {_mib(octets)} of answers, a bundle holds {_mib(min(most, MOST_BYTES))}"
        raise TooLarge(text)


def _unpacked(packed: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(packed)
    try:
        text = reader.read(MOST_BYTES + 1)
    except zstandard.ZstdError:
        raise Unreadable("not a packed proof bundle: it cannot be unpacked") from None
    if len(text) > MOST_BYTES:
        raise TooLarge(f"not a packed proof bundle: it unpacks to more than {_mib(MOST_BYTES)}")
    return text


def _context(grounds: Grounds, block: BlockRef | None) -> Context:
    checkpoint, others = grounds.checkpoint, grounds.others
    trusted = None
    if checkpoint is not None:
        trusted = BlockRef(number=checkpoint.number, hash=checkpoint.hash)
    return Context(
        chain_id=grounds.chain_id,
        checkpoint=trusted,
        chain=None if grounds.finality is None else _chain(grounds.finality, block),
        others=None if others is None else others.labels(),
    )


def _chain(known: Finality, block: BlockRef | None) -> Chain:
    return Chain(
        final_number=known.final_number(),
        is_settled=block is not None and known.is_settled(block.number, block.hash),
        is_orphaned=block is not None and known.is_orphaned(block.hash),
    )


def _exchange(heard: Heard) -> Exchange:
    reply = heard.reply
    if len(reply.raws) != len(heard.calls):
        raise NothingToProve("the answers were not kept as the node gave them")
    return Exchange(
        node=reply.node,
        source=reply.source,
        age_s=round(reply.age_s, 3),
        questions=tuple(
            Question(method=call.method, params=Raw(params_of(call)), result=Raw(minified(raw)))
            for call, raw in zip(heard.calls, reply.raws, strict=True)
        ),
    )


def params_of(call: Call) -> bytes:
    return msgspec.json.encode(call.params)


def _mib(octets: int) -> str:
    return f"{octets / _KIB / _KIB:.1f} MiB"
