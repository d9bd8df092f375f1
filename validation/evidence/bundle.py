"""The proof bundle's format, version 1: its members and its digest."""

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw

from validation.validators.outcome import Agreement, BlockRef, Caught, Check, Verdict

FORMAT: Final = "switchyard-proof"
VERSION: Final = 1
LATEST: Final = 253_402_300_799
"""The last second of the year 9999, after which a calendar here has no name for a day."""

_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Level = Annotated[int, Meta(ge=0, le=5)]
_Short = Annotated[str, Meta(max_length=400)]


class BundleError(ValueError):
    """Why there is no bundle, or why a file is none, in one line for a person."""


class NothingToProve(BundleError):
    """The outcome rests on no answer of a node."""


class Incomplete(BundleError):
    """What was heard does not amount to the verdict: it could not be verified."""


class TooLarge(BundleError):
    """More bytes than a bundle may have."""


class Unreadable(BundleError):
    """Not a bundle that this version reads."""


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One JSON-RPC call and what its `result` was, digit by digit."""

    method: _Short
    params: Raw
    result: Raw


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Questions that one node answered in one round trip."""

    node: _Short
    """The node's label; never a credential."""
    source: _Short
    """`node`, or the tier of the cache that remembered it, and how long ago the node was asked."""
    age_s: float
    questions: tuple[Question, ...]


class Chain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was known of the chain's end when the bundle was made."""

    final_number: _Count | None
    is_settled: bool
    """The item's block is final and in the chain."""
    is_orphaned: bool


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the verdict took for granted: no computation can show any of it from the answers."""

    chain_id: _Count | None
    checkpoint: BlockRef | None
    chain: Chain | None
    others: tuple[_Short, ...] | None
    """The nodes in service then, best first; null where it was not known which."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outcome as the bundle tells it."""

    verdict: Verdict
    level: _Level
    reason: _Short
    checks: tuple[Check, ...]
    node: _Short
    block: BlockRef | None
    agreement: Agreement | None
    caught: tuple[Caught, ...]


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item, what was asked about it, what was answered, and the verdict."""

    format: Literal["switchyard-proof"] = FORMAT
    version: Literal[1] = VERSION
    subject: _Short
    level: _Level
    """The level asked."""
    made_at: Annotated[float, Meta(ge=0, le=LATEST)]
    """Epoch seconds."""
    context: Context
    outcome: Claimed
    exchanges: tuple[Exchange, ...]
    digest: _Short = ""


class _Title(msgspec.Struct):
    """What a file must say of itself before the rest of it is looked at."""

    format: Any = None
    version: Any = None


def minified(raw: bytes) -> bytes:
    """The same JSON, digit by digit, without the space between its parts."""
    return msgspec.json.format(bytes(raw), indent=-1)


def digest_of(text: bytes) -> str:
    """SHA-256 over every member but `digest`: sorted by name, without the space between parts."""
    members = _members(text)
    content = b",".join(
        msgspec.json.encode(name) + b":" + minified(members[name])
        for name in sorted(members)
        if name != "digest"
    )
    return hashlib.sha256(b"{" + content + b"}").hexdigest()


def encoded(bundle: Bundle) -> bytes:
    """The bundle as JSON, with its digest."""
    digest = digest_of(msgspec.json.encode(bundle))
    return msgspec.json.encode(msgspec.structs.replace(bundle, digest=digest))


def decoded(text: bytes) -> Bundle:
    """The bundle in well-formed JSON. Unreadable says what is not as the format has it."""
    try:
        title = msgspec.json.decode(text, type=_Title)
        if title.format != FORMAT:
            raise Unreadable(f'not a proof bundle: its "format" is not "{FORMAT}"')
        if type(title.version) is not int or title.version != VERSION:
            shown = str(title.version)[:40]
            raise Unreadable(f"version {shown} of the format: this release reads {VERSION}")
        return msgspec.json.decode(text, type=Bundle)
    except msgspec.MsgspecError as exc:
        raise Unreadable(f"not as the format has it: {exc}") from None


def _members(text: bytes) -> dict[str, Raw]:
    members: dict[str, Raw] = msgspec.json.decode(text, type=dict[str, Raw])
    return members
