"""Takes values out of a statement's text: what people's rows hold is nobody's figure."""

import re
from typing import Final

LONGEST: Final = 600
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|--[^\n]*", re.DOTALL)
# One that is cut off in the middle ends with the text.
_QUOTED = re.compile(
    r"\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|\$(\w*)\$.*?(?:\$\1\$|\Z)",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w$.\"])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_SPACE = re.compile(r"\s+")


def normal(text: str) -> str:
    """`SELECT … WHERE id = ? AND name IN (?, …)`, in one line and bounded."""
    # Texts before comments: `--` within quotes begins none.
    bare = _COMMENT.sub(" ", _QUOTED.sub("?", text))
    bare = _LIST.sub("(?, …)", _NUMBER.sub("?", bare))
    short = _SPACE.sub(" ", bare).strip()
    return short if len(short) <= LONGEST else f"{short[: LONGEST - 1]}…"
