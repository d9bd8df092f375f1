"""JSON that two parsers could read differently is refused: duplicate keys, NaN, 1e400, depth.

msgspec refuses NaN and malformed text by itself. What it lets pass where nobody decodes a value
(1e400) or always (a key given twice) is found here: cheaply by counting colons, exactly where
the count cannot tell.
"""

import json
import math
from typing import Any, NoReturn

import msgspec


class Refused(ValueError):
    """Why a text is no answer, in words."""


def check_value(raw: bytes, *, max_depth: int) -> int:
    """Refuses a value as above; returns how many colons it holds, if it holds containers."""
    first = raw[:1]
    if first in b'"ntf':
        return 0
    if first not in b"{[":
        _finite(raw.decode("ascii"))
        return 0
    try:
        keys = _count_keys(msgspec.json.decode(raw), max_depth)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise Refused(f"not JSON: {exc}") from None
    except RecursionError:
        raise Refused(f"nested more than {max_depth} deep") from None
    colons = raw.count(b":")
    if keys != colons:  # a key twice, or merely a colon within a text: only a real parse can tell
        check_exactly(raw)
    return colons


def check_exactly(text: bytes) -> None:
    """Refuses duplicate keys and numbers out of range by parsing in full (5 times slower)."""
    try:
        json.loads(text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite)
    except RecursionError:
        raise Refused("nested too deeply") from None
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None
    except json.JSONDecodeError as exc:
        raise Refused(f"not JSON: {exc.msg}") from None


def _count_keys(tree: Any, max_depth: int) -> int:
    """Keys in all objects of the tree, level by level, so that depth costs no stack."""
    keys = 0
    level = [tree]
    for _ in range(max_depth):
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                keys += len(node)
                values = node.values()
            else:
                values = node
            below += [value for value in values if type(value) is dict or type(value) is list]
        if not below:
            return keys
        level = below
    raise Refused(f"nested more than {max_depth} deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("an object gives a key twice")
    return found


def _constant(name: str) -> NoReturn:
    raise Refused(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused("a number is out of range")
    return number
