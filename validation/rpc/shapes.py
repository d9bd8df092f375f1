"""What the hex strings of JSON-RPC must look like, checked a whole object at a time.

A node writes quantities, hashes and data as strings. Matching a joined object against one pattern
costs 2 µs where a check a field costs 10; only an object that fails is looked at field by field,
to name the field and what it held.
"""

import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from msgspec import UNSET

QUANTITY = "0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})"
"""No leading zeros, at most 256 bits."""
QUANTITY_64 = "0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,15})"
HASH = "0x[0-9a-fA-F]{64}"
SLOT_KEY = "0x[0-9a-fA-F]{1,64}"
"""Nodes repeat a slot as they were asked for it, as a quantity, or in full."""
ADDRESS = "0x[0-9a-fA-F]{40}"
BLOOM = "0x[0-9a-fA-F]{512}"
BYTES_8 = "0x[0-9a-fA-F]{16}"
BIT = "0x[01]"
DATA = "0x[0-9a-fA-F]*+"
"""Whole bytes, so of even length: counted apart, since a pattern for pairs is ten times slower."""

_MEANING = {
    QUANTITY: "a hex quantity of at most 256 bits without leading zeros",
    QUANTITY_64: "a hex quantity of at most 64 bits without leading zeros",
    HASH: "0x and 64 hex digits",
    SLOT_KEY: "0x and at most 64 hex digits",
    ADDRESS: "0x and 40 hex digits",
    BLOOM: "0x and 512 hex digits",
    BYTES_8: "0x and 16 hex digits",
    BIT: "0x0 or 0x1",
    DATA: "0x and whole bytes in hex",
}
_HELD_SHOWN = 80

type Fields = dict[str, tuple[str, str]]
"""Attribute → (name in JSON, pattern)."""


class Shape:
    """The pattern of every hex field of one kind of object.

    `required` fields must match; those also named in `nullable` may be null or absent (a pending
    transaction has no block); `optional` ones may be null or absent and usually are.
    """

    __slots__ = (
        "_data",
        "_getter",
        "_match",
        "_nullable",
        "_optional",
        "_optional_getter",
        "_required",
    )

    def __init__(
        self, *, required: Fields, optional: Fields | None = None, nullable: Iterable[str] = ()
    ) -> None:
        self._required = _compiled(required)
        self._optional = list(_compiled(optional or {}).values())
        self._optional_getter = _getter_of(optional or {})
        self._nullable = frozenset(nullable)
        self._data = [name for name, (_, pattern) in required.items() if pattern == DATA]
        self._getter = _getter_of(required)
        self._match = re.compile(",".join(pattern for _, pattern in required.values())).fullmatch

    def flaw(self, value: Any) -> str:
        """The first field that is wrong and what it held, or an empty text."""
        try:
            # A comma inside a field cannot pass: no pattern allows one, so the count would differ.
            sound = self._match(",".join(self._getter(value)))
        except TypeError:  # a null or an absent field
            sound = None
        if not sound:
            flaw = self._required_flaw(value)
            if flaw:
                return flaw
        for attribute in self._data:
            if len(getattr(value, attribute)) & 1:
                return wrong(self._required[attribute][0], getattr(value, attribute), DATA)
        for (name, match, pattern), held in zip(
            self._optional, self._optional_getter(value), strict=True
        ):
            if type(held) is str and not match(held):
                return wrong(name, held, pattern)
        return ""

    def _required_flaw(self, value: Any) -> str:
        for attribute, (name, match, pattern) in self._required.items():
            held = getattr(value, attribute)
            if held is None or held is UNSET:
                if attribute not in self._nullable:
                    return f"{name} is {'missing' if held is UNSET else 'null'}"
            elif not match(held):
                return wrong(name, held, pattern)
        return ""


def wrong(name: str, held: object, pattern: str) -> str:
    return f"{name} is {shown(held)}, not {_MEANING[pattern]}"


def shown(held: object) -> str:
    """What a node said, short enough for a line of text."""
    text = repr(held)
    return text if len(text) <= _HELD_SHOWN else f"{text[:_HELD_SHOWN]}… ({len(text)} characters)"


def _getter_of(fields: Fields) -> Callable[[Any], tuple[Any, ...]]:
    """Always a tuple, which `attrgetter` gives for two names or more only."""
    names = tuple(fields)
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _compiled(fields: Fields) -> dict[str, tuple[str, Any, str]]:
    return {
        attribute: (name, re.compile(pattern).fullmatch, pattern)
        for attribute, (name, pattern) in fields.items()
    }
