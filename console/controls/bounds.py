"""What may be wanted: reasons, ends, modes, thresholds, sizes and tags, each within its bounds."""

import re
from collections.abc import Mapping
from typing import Any

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.errors import Refused, RoleTooLow
from validation.resilience import THRESHOLDS

SHORTEST_S = 5
LONGEST_S = 86_400
DEFAULT_S = 900
SHORTEST_REASON = 10
LONGEST_REASON = 500

# Mode: what it does.
MODES: Mapping[str, str] = {
    "forced_open": "no call passes",
    "forced_closed": "every call passes, whatever fails",
    "metrics_only": "every call passes; what it would do is still computed",
    "disabled": "every call passes and nothing is counted",
}
# Setting of L1: least, most, unit, what it bounds.
SIZES: Mapping[str, tuple[int, int, str, str]] = {
    "max_entries": (16, 5_000_000, "entries", "Entries in the L1 of each worker"),
    "max_bytes": (2**20, 2**36, "bytes", "Bytes in the L1 of each worker"),
}
# A share needs no unit.
_UNITS = {"of 1": ""}
# Tags that entries of the cache carry: everything, what was read at the head, a kind of question;
# and what one node answered, or what stands and falls with one block.
TAGS = ("all", "latest", "tx", "block", "head", "address", "header", "evidence", "proof")
_TAG = re.compile(r"node:[A-Za-z0-9._:#\[\]-]{1,150}|block:0x[0-9a-f]{64}")


def reason_of(text: str) -> str:
    """The reason on one line."""
    reason = " ".join(text.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        expected = f"a reason of {SHORTEST_REASON} to {LONGEST_REASON} printable characters"
        raise Refused("reason", text, expected)
    return reason


def span_of(for_s: object) -> float:
    if (
        isinstance(for_s, bool)
        or not isinstance(for_s, int | float)
        or not SHORTEST_S <= for_s <= LONGEST_S  # not a number is refused here too
    ):
        raise Refused("for_s", for_s, f"a number of seconds from {SHORTEST_S} to {LONGEST_S}")
    return float(for_s)


def mode_of(mode: str) -> str:
    if mode not in MODES:
        raise Refused("mode", mode, f"one of {', '.join(MODES)}, auto")
    return mode


def thresholds_of(settings: Mapping[str, Any]) -> dict[str, float]:
    """Each named, of its type and within its bounds; any number of them."""
    found: dict[str, float] = {}
    for name, value in settings.items():
        if name not in THRESHOLDS:
            raise Refused("settings", name, f"one of {', '.join(THRESHOLDS)}")
        bound = THRESHOLDS[name]
        whole = bound.kind is int
        found[name] = _number(
            f"settings.{name}",
            value,
            bound.low,
            bound.high,
            _UNITS.get(bound.unit, bound.unit),
            whole=whole,
        )
    return found


def sizes_of(settings: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in settings.items():
        if name not in SIZES:
            raise Refused("settings", name, f"one of {', '.join(SIZES)}")
        low, high, unit, _ = SIZES[name]
        found[name] = _number(name, value, low, high, unit, whole=True)
    return found


def tag_of(tag: str) -> str:
    if tag not in TAGS and not _TAG.fullmatch(tag):
        expected = f"one of {', '.join(TAGS)}, node:<host:port> or block:0x<64 hex digits>"
        raise Refused("tag", tag, expected)
    return tag


def confirmed(name: str, confirm: str) -> None:
    if confirm != name:
        raise Refused("confirm", confirm, f"{name}, the name of what this stops or drops")


def needs(actor: Actor, role: Role, act: str) -> None:
    if not actor.role.covers(role):
        raise RoleTooLow(
            f"{act} needs the role {role}; {actor.name} is {actor.role}. Ask an {role}."
        )


def _number(field: str, value: object, low: float, high: float, unit: str, *, whole: bool) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        fits = low <= value <= high  # not a number is within no bounds
        if fits and (not whole or value == int(value)):
            return int(value) if whole else float(value)
    kind = "whole number" if whole else "number"
    raise Refused(field, value, f"a {kind} from {low:g} to {high:g} {unit}".rstrip())
