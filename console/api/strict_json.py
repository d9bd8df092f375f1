"""Reads a JSON body whole: bounded, without doubled keys, and without what is no number."""

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest

from console.api.problems import Problem


def read_json(request: HttpRequest, most: int, instead: str) -> tuple[object, bytes]:
    """The document and its bytes; where it is larger than `most`, 413 says what to do `instead`."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    raw = b"" if int(length) > most else request.read(most + 1)
    if int(length) > most or len(raw) > most:
        held = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} kB"
        raise Problem(413, f"One JSON body holds {held} at most: {instead}.")
    try:
        document: object = json.loads(
            raw, parse_constant=_no_number, parse_float=_number, object_pairs_hook=_unique
        )
    except RecursionError as exc:
        raise Problem(422, "The body is nested too deeply.") from exc
    except ValueError as exc:
        raise Problem(422, f"The body is no JSON: {exc}.") from exc
    return document, raw


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is larger than any number here")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:40]!r} is there twice")
        found[name] = value
    return found
