"""Proof bundles: all that a verdict rests on in one document, and verifying it with no network.

Enters: questions with their replies, and an outcome; or a document. Leaves: a document, packed or
for people to read, or what verifying one found. Depends on `validation.rpc`, `.validators`,
`.checkpoint` and `.subjects`. The format is described in docs/proof-bundle.md.
"""

from validation.evidence.bundle import (
    Bundle,
    BundleError,
    Claimed,
    Context,
    Exchange,
    Incomplete,
    NothingToProve,
    Question,
    TooLarge,
    Unreadable,
)
from validation.evidence.links import completed
from validation.evidence.packing import MOST_BYTES, MOST_PACKED, document, pack, read, unpack
from validation.evidence.recorded import NotRecorded, Recorded
from validation.evidence.verifying import Finding, reverify, verify

__all__ = [
    "MOST_BYTES",
    "MOST_PACKED",
    "Bundle",
    "BundleError",
    "Claimed",
    "Context",
    "Exchange",
    "Finding",
    "Incomplete",
    "NotRecorded",
    "NothingToProve",
    "Question",
    "Recorded",
    "TooLarge",
    "Unreadable",
    "completed",
    "document",
    "pack",
    "read",
    "reverify",
    "unpack",
    "verify",
]
