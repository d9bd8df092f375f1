"""Decodes JSON that somebody brought: each key once, numbers that are some, text that is text."""

import json
import math
from typing import Any, Final, NoReturn

DEEPEST: Final = 64
# More than any number that is kept; Python reads no longer ones.
_MOST_DIGITS: Final = 1000


class NotStrict(ValueError):
    """Well-formed, and yet nothing that can be kept. `value` is what it is about."""

    def __init__(self, value: str, said: str) -> None:
        self.value = value
        super().__init__(said)


def decoded(text: str | bytes, *, halves: bool = False) -> Any:
    """Raises ValueError, also where it is nested too deeply for a decoder. With `halves` the caller
    sees to lone surrogates itself.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))  # json itself lets halves of pairs pass
    try:
        found = json.loads(
            text,
            parse_constant=_no_number,
            parse_float=_number,
            parse_int=_whole,
            object_pairs_hook=_unique,
        )
        is_kept = halves or "\\u" not in text or is_text(found)
    except RecursionError as exc:
        raise NotStrict("JSON", "it is nested too deeply") from exc
    if not is_kept:
        raise NotStrict("half a character", "it has half a character (a lone surrogate)")
    return found


def is_text(value: object) -> bool:
    """Whether all text of it can be kept: no half of a pair of UTF-16, by which JSON may name a
    character.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def is_deep(value: object, most: int = DEEPEST) -> bool:
    """Nested more than `most` levels; without a call a level, so that no depth can hurt."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > most:
            return any(isinstance(one, dict | list) for one in level)
        level = [inner for one in level for inner in _within(one)]
    return False


def _within(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _no_number(name: str) -> NoReturn:
    raise NotStrict(name, f"{name} is no JSON number")


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise NotStrict(f"{text[:20]}…", f"a number of {len(text)} digits is larger than any here")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict(text[:40], f"{text[:40]} is larger than any number here")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise NotStrict(name[:40], f"the key {name[:40]!r} is there twice")
        found[name] = value
    return found
