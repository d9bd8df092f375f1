"""One value of a document changed at a time."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from validation import evidence
from validation.evidence.bundle import digest_of

type Path = tuple[str | int, ...]


def leaves(tree: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that holds no other, with the way to it; empty lists and objects too. Of a list
    of hashes the first and the last.
    """
    if isinstance(tree, dict) and tree:
        for name, held in tree.items():
            yield from leaves(held, (*at, name))
    elif isinstance(tree, list) and tree:
        places = {0, len(tree) - 1} if isinstance(tree[0], str) else range(len(tree))
        for index, held in enumerate(tree):
            if index not in places:
                continue
            yield from leaves(held, (*at, index))
    else:
        yield at, tree


def flipped(value: Any) -> Any:
    """The same kind of value with one digit or letter changed; of nothing, something."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]+", value):
        return value[:-1] + format(int(value[-1], 16) ^ 1, "x")
    if isinstance(value, str) and value:
        return value[:-1] + ("z" if value[-1] != "z" else "y")
    return {str: "x", type(None): 0, list: [0], dict: {"x": 0}}[type(value)]


def changed(document: dict[str, Any], path: Path, value: Any, *, sealed: bool) -> bytes:
    """With `value` at `path`; `sealed`: by somebody who knew to compute the digest anew."""
    other = copy.deepcopy(document)
    place: Any = other
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    if sealed:
        other["digest"] = digest_of(json.dumps(other).encode())
    return json.dumps(other).encode()


async def is_taken(text: bytes) -> bool:
    """Whether it verifies."""
    try:
        return (await evidence.reverify(text)).same
    except evidence.BundleError:
        return False


def pattern(document: dict[str, Any], path: Path) -> str:
    """The way without places in lists. Of an answer its method and field, after `own` where it is
    the item's own, the first thing asked.
    """
    steps = [step for step in path if isinstance(step, str)]
    if path[0] != "exchanges" or "questions" not in path:
        return ".".join(steps)
    question = document["exchanges"][path[1]]["questions"][path[3]]
    whose = ("own",) if path[1] == 0 else ()
    return ".".join((*whose, question["method"], *steps[2:]))
