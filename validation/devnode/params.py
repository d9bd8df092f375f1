"""Reads a call's parameters; what does not fit is refused as -32602, naming the parameter."""

import re
from collections.abc import Sequence
from typing import Any

from validation.devnode.errors import INVALID_PARAMS, RpcFault

_HASH = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})", re.ASCII)
_SLOT = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)

NEWEST_TAGS = ("latest", "pending", "safe", "finalized")  # nothing here will ever be reorganised
MOST_SLOTS = 1024


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - to recognise it by


def refused(name: str, wanted: str, value: object) -> RpcFault:
    return RpcFault(INVALID_PARAMS, f"invalid params: {name} must be {wanted}, not {shown(value)}")


def counted(params: Sequence[Any], names: Sequence[str], optional: int = 0) -> Sequence[Any]:
    """The parameters, as many as `names`; the last `optional` of them may be left out."""
    if len(params) > len(names):
        raise RpcFault(
            INVALID_PARAMS,
            f"invalid params: {len(params)} given, {', '.join(names) or 'none'} expected",
        )
    missing = names[len(params) : len(names) - optional]
    if missing:
        raise RpcFault(INVALID_PARAMS, f"invalid params: {missing[0]} is missing")
    return params


def _matched(value: object, pattern: re.Pattern[str], name: str, wanted: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise refused(name, wanted, value)
    return value


def hash_(value: object, name: str) -> str:
    return _matched(value, _HASH, name, "a hash of 32 bytes (0x and 64 hex digits)").lower()


def address(value: object) -> str:
    wanted = "an address of 20 bytes (0x and 40 hex digits)"
    return _matched(value, _ADDRESS, "address", wanted).lower()


def truth(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise refused(name, "true or false", value)
    return value


def block_number(value: object, latest: int) -> int:
    """A tag or quantity as a number, which may be beyond the newest."""
    if value in NEWEST_TAGS:
        return latest
    if value == "earliest":
        return 0
    wanted = "a tag or a number in hex without leading zeros"
    return int(_matched(value, _QUANTITY, "block", wanted), 16)


def slots(value: object) -> Sequence[str]:
    if not isinstance(value, list):
        raise refused("storageKeys", "a list of slots", value)
    if len(value) > MOST_SLOTS:
        raise refused("storageKeys", f"at most {MOST_SLOTS} slots", len(value))
    wanted = "a slot of at most 32 bytes in hex"
    return [_matched(slot, _SLOT, f"storageKeys[{i}]", wanted) for i, slot in enumerate(value)]
