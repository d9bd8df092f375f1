"""Lies about the reply as such: ids, order, and bytes that are no JSON-RPC at all."""

from collections.abc import Iterator
from typing import Any

from validation.devnode.lies.lie import Answer, Spoken

HUGE_CHUNKS = 100
CHUNK = b" " * 1_048_576
DEPTH = 100_000


def wrong_ids(answers: list[Answer]) -> list[Answer]:
    return [{**answer, "id": _other(answer["id"])} for answer in answers]


def _other(ident: Any) -> Any:
    return ident + 1 if isinstance(ident, int | float) else f"{ident}x"


def retyped_ids(answers: list[Answer]) -> list[Answer]:
    def retyped(ident: Any) -> Any:
        return int(ident) if isinstance(ident, str) and ident.isdecimal() else str(ident)

    return [{**answer, "id": retyped(answer["id"])} for answer in answers]


def missing_ids(answers: list[Answer]) -> list[Answer]:
    return [{name: value for name, value in a.items() if name != "id"} for a in answers]


def missing_answer(answers: list[Answer]) -> list[Answer]:
    return answers[:-1]


def duplicate_ids(answers: list[Answer]) -> list[Answer]:
    """Every answer under the first one's id."""
    return [{**answer, "id": answers[0]["id"]} for answer in answers]


def duplicated_answer(answers: list[Answer]) -> list[Answer]:
    return [*answers, answers[0]]


def crossed_ids(answers: list[Answer]) -> list[Answer]:
    """Every answer under its neighbour's id: all ids are right, all answers wrong."""
    idents = [answer["id"] for answer in answers]
    turned = idents[1:] + idents[:1]
    return [{**answer, "id": ident} for answer, ident in zip(answers, turned, strict=True)]


def reversed_order(answers: list[Answer]) -> list[Answer]:
    return answers[::-1]


def result_and_error(answers: list[Answer]) -> list[Answer]:
    return [{**a, "error": {"code": -32000, "message": "and yet"}} for a in answers]


def _page(body: bytes, content_type: bytes = b"application/json") -> Spoken:
    return Spoken(chunks=(body,), content_type=content_type)


def not_json(_truth: bytes) -> Spoken:
    return _page(b"upstream connect error or disconnect/reset before headers", b"text/plain")


def html(_truth: bytes) -> Spoken:
    return _page(b"<!doctype html><title>Sign in</title><h1>Sign in</h1>", b"text/html")


def truncated(truth: bytes) -> Spoken:
    return _page(truth[: len(truth) * 2 // 3])


def not_a_number(truth: bytes) -> Spoken:
    """The first result becomes NaN, which JSON does not have; all else stays sound."""
    return _page(truth.replace(b'"result":', b'"result":NaN,"was":', 1))


def doubled_keys(truth: bytes) -> Spoken:
    return _page(truth.replace(b'"result":', b'"result":null,"result":'))


def nesting_bomb(_truth: bytes) -> Spoken:
    return _page(b'[{"jsonrpc":"2.0","id":1,"result":' + b"[" * DEPTH)


def huge_body(truth: bytes) -> Spoken:
    def chunks() -> Iterator[bytes]:
        yield truth[:-1]
        for _ in range(HUGE_CHUNKS):
            yield CHUNK
        yield truth[-1:]

    return Spoken(chunks=chunks())


def redirect(_truth: bytes) -> Spoken:
    return Spoken(chunks=(b"",), status=307, headers=((b"location", b"http://127.0.0.1:9/"),))


def server_error(_truth: bytes) -> Spoken:
    return Spoken(chunks=(b"bad gateway",), status=502, content_type=b"text/plain")
