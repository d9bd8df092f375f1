"""Fields of a node's answers as a drill reads them: what is not as it must be ends the drill."""

import re
from typing import Any

from validation.drill.errors import DrillError

type Document = dict[str, Any]

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,16}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SHOWN = 60


def document(value: object, what: str) -> Document:
    if not isinstance(value, dict):
        raise DrillError(f"The node's {what} is no object but {_brief(value)}: {_NOTHING}")
    return value


def documents(value: object, what: str) -> list[Document]:
    if not isinstance(value, list):
        raise DrillError(f"The node's {what} is no list but {_brief(value)}: {_NOTHING}")
    return [document(one, f"{what}[{place}]") for place, one in enumerate(value)]


def quantity(owner: Document, field: str, what: str) -> int:
    return int(_text(owner, field, what, _QUANTITY), 16)


def block_hash(owner: Document, field: str, what: str) -> str:
    return _text(owner, field, what, _HASH)


def address(owner: Document, field: str, what: str) -> str:
    return _text(owner, field, what, _ADDRESS).lower()


def listed(owner: Document, field: str, what: str) -> list[Any]:
    value = owner.get(field)
    if not isinstance(value, list):
        raise DrillError(f"{field} of the node's {what} is {_brief(value)}, no list: {_NOTHING}")
    return value


def _text(owner: Document, field: str, what: str, wanted: re.Pattern[str]) -> str:
    value = owner.get(field)
    if not isinstance(value, str) or not wanted.fullmatch(value):
        raise DrillError(f"{field} of the node's {what} is {_brief(value)}: {_NOTHING}")
    return value


def _brief(value: object) -> str:
    if value is None:
        return "missing"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


_NOTHING = "there is nothing to lie about in that. Test the node on its page."
