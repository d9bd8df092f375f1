"""Reads a JSON body whole: bounded, without doubled keys, and without what is no number or text."""

from django.http import HttpRequest

from console import strict_json
from console.api.problems import Problem


def read_json(
    request: HttpRequest, most: int, instead: str, *, halves: bool = False
) -> tuple[object, bytes]:
    """The document and its bytes; where it is larger than `most`, 413 says what to do `instead`.
    With `halves` the caller sees to lone surrogates itself.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    raw = b"" if int(length) > most else request.read(most + 1)
    if int(length) > most or len(raw) > most:
        held = f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} kB"
        raise Problem(413, f"One JSON body holds {held} at most: {instead}.")
    try:
        return strict_json.decoded(raw, halves=halves), raw
    except ValueError as exc:
        raise Problem(422, f"The body is no JSON: {exc}.") from exc
