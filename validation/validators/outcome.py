"""The words of a validation's answer: verdict, check, outcome."""

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from validation.rpc import Span


class Verdict(StrEnum):
    VALID = "valid"
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    UNVERIFIABLE = "unverifiable"
    ERROR = "error"


class Status(StrEnum):
    PASS = "pass"  # noqa: S105 - a status, no password
    FAIL = "fail"
    SKIP = "skip"


class Check(msgspec.Struct, frozen=True):
    """One thing computed about an item. `detail` says why it failed or was skipped.

    `computed` and `claimed` are what was compared: always where it failed, and where it passed if
    the validation was asked to explain itself.
    """

    name: str
    status: Status
    detail: str = ""
    computed: str = ""
    claimed: str = ""


class BlockRef(msgspec.Struct, frozen=True, kw_only=True):
    """The block that an item is in, or is."""

    number: int
    hash: str


class Caught(msgspec.Struct, frozen=True, kw_only=True):
    """A node that said what an honest one cannot have said, and the check that showed it."""

    node: str
    check: str
    detail: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What one node said otherwise: null where it knows no such item."""

    node: str
    said: str


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether nodes say the same canonical content. `asked` is how many had to."""

    asked: int
    agreed: tuple[str, ...]
    """Labels, the one that the verdict rests on first."""
    differs: tuple[Difference, ...] = ()
    silent: tuple[Difference, ...] = ()
    """Those that did not answer, with the reason of the error."""

    @property
    def is_reached(self) -> bool:
        return len(self.agreed) >= self.asked


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one item; encoded, it is the object of `validate --json`."""

    subject: str
    verdict: Verdict
    level: int
    """The level reached, whatever was asked."""
    reason: str
    """A code of `REASONS`."""
    checks: tuple[Check, ...]
    node: str
    ms: float
    source: str = "node"
    """Where the data came from: "node", "l1" or "l2". The checks were made now in any case."""
    age_s: float = 0.0
    """How old the data was."""
    block: BlockRef | None = None
    """What the verdict stands and falls with until it is final; None where nothing ties it."""
    agreement: Agreement | None = None
    """None where it was not asked for."""
    caught: tuple[Caught, ...] | UnsetType = UNSET
    """Nodes that were caught at a lie while this was validated, also where another then told the
    truth; not there where none was."""
    spans: tuple[Span, ...] | UnsetType = UNSET
    """Where the time went; not there unless it was asked for."""
    began_at: float | UnsetType = UNSET
    """When that began, by its process's `time.monotonic`; there where `spans` are."""
    bundle: bytes | UnsetType = UNSET
    """The packed proof bundle of a verdict that accuses a node."""
