"""The words of a validation's answer: verdict, check, outcome."""

from enum import StrEnum

import msgspec


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
    """One thing computed about an item; `detail` says why it failed: computed against claimed."""

    name: str
    status: Status
    detail: str = ""


class BlockRef(msgspec.Struct, frozen=True, kw_only=True):
    """The block that an item is in, or is."""

    number: int
    hash: str


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
