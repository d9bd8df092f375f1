"""Reads the body of `POST /runs` in whichever form it comes, as a stream where it can."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from console.api.body import Body, body_of
from console.api.problems import Problem, field_error
from console.api.strict_json import read_json
from console.controls import MOST_NODES
from validation import quorum
from validation.subjects import Malformed, Subject, SubjectError, expand, read_upload

HIGHEST_LEVEL = 5
# One JSON document is parsed whole; longer lists come as NDJSON, line by line.
MAX_JSON = 16 * 1024 * 1024
_PART = 64 * 1024
_LINES = {"application/x-ndjson", "application/jsonl", "text/csv", "text/plain"}

type Entries = Iterator[Subject | Malformed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What is asked for. `digest` tells one request from another under one Idempotency-Key."""

    entries: Entries
    level: int | None
    agreement: int | None
    title: str
    idempotency_key: str
    digest: str
    accept_valid: bool


@contextmanager
def read_intake(request: HttpRequest) -> Iterator[Intake]:
    """What a request asks for; its entries are read inside the block, which closes their source."""
    accept = request.GET.get("accept", "")
    if accept not in {"", "valid"}:
        raise field_error("accept", accept, "`valid`, which starts the good items")
    key = _idempotency_key(request)
    with ExitStack() as closing:
        source = _source(request, closing, hashed=bool(key))
        level, agreement = level_of(source.level), agreement_of(source.agreement)
        asked = (level, _title(source.title), accept == "valid")
        yield Intake(
            entries=source.entries,
            level=level,
            agreement=agreement,
            title=asked[1],
            idempotency_key=key,
            digest=_digest(source.digest, asked, agreement) if key else "",
            accept_valid=asked[2],
        )


@dataclass(frozen=True, slots=True)
class _Source:
    entries: Entries
    digest: str
    level: object
    agreement: object
    title: str


def _source(request: HttpRequest, closing: ExitStack, *, hashed: bool) -> _Source:
    content_type = (request.content_type or "").lower()
    level: object = request.GET.get("level")
    agreement: object = request.GET.get("agreement")
    title = request.GET.get("title", "")
    if content_type == "application/json":
        body, digest = _json(request)
        level = level if body.level is None else body.level
        agreement = agreement if body.agreement is None else body.agreement
        return _Source(_items(body.items), digest, level, agreement, body.title or title)
    if content_type == "multipart/form-data":
        upload, digest = _file(request, hashed=hashed)
        entries = read_upload(
            upload.chunks(_PART), filename=upload.name or "", content_type=upload.content_type or ""
        )
        form = request.POST
        level, agreement = form.get("level") or level, form.get("agreement") or agreement
        return _Source(entries, digest, level, agreement, form.get("title") or title)
    if content_type in _LINES:
        stream, digest = _spooled(request, closing) if hashed else (request, "")
        entries = read_upload(_parts(stream), filename="", content_type=content_type)
        return _Source(entries, digest, level, agreement, title)
    said = f"Content-Type {content_type[:80]!r} is not taken" if content_type else _UNSAID
    raise Problem(415, f"{said}: {_FORMATS}", accepted=sorted(_TYPES))


_TYPES = {"application/json", "multipart/form-data", *_LINES}
_UNSAID = "The request has no Content-Type, so nobody knows what its body is"
_FORMATS = (
    "send application/json, application/x-ndjson, text/csv, text/plain or multipart/form-data."
)


def level_of(value: object) -> int | None:
    """A level of the trust ladder; None asks for the highest that each kind can reach."""
    if value is None or value == "":
        return None
    expected = f"a level from 0 to {HIGHEST_LEVEL}"
    try:
        level = int(str(value))
    except ValueError:
        raise field_error("level", value, expected) from None
    if not 0 <= level <= HIGHEST_LEVEL or isinstance(value, bool):
        raise field_error("level", value, expected)
    return level


def agreement_of(value: object) -> int | None:
    """How many nodes must say the same; None: one is enough."""
    if value is None or value == "":
        return None
    expected = f"a number of nodes from {quorum.LEAST} to {MOST_NODES}; leave it away to ask one"
    try:
        agreement = int(str(value))
    except ValueError:
        raise field_error("agreement", value, expected) from None
    if not quorum.LEAST <= agreement <= MOST_NODES:
        raise field_error("agreement", value, expected)
    return agreement


def _digest(body: str, asked: tuple[object, ...], agreement: int | None) -> str:
    """What asks for no agreement has the digest that it had before there was such a thing."""
    also = () if agreement is None else (agreement,)
    return sha256(repr((body, *asked, *also)).encode()).hexdigest()


def _title(title: str) -> str:
    title = title.strip()
    if len(title) > 200 or (title and not title.isprintable()):  # noqa: PLR2004 - the column's length
        raise field_error("title", title, "at most 200 printable characters")
    return title


def _idempotency_key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 200 or not (key.isascii() and (not key or key.isprintable())):  # noqa: PLR2004 - as above
        raise field_error("Idempotency-Key", key, "1 to 200 printable ASCII characters")
    return key


def _json(request: HttpRequest) -> tuple[Body, str]:
    # A line that holds one is told as any that is no item: with its place.
    document, raw = read_json(request, MAX_JSON, "send NDJSON, one item a line", halves=True)
    return body_of(document), sha256(raw).hexdigest()


def _items(texts: list[str]) -> Entries:
    """Items of a list: the first is line 1."""
    for line, text in enumerate(texts, 1):
        try:
            yield from expand(text)
        except SubjectError as exc:
            yield Malformed(line=line, text=text[:200], reason=str(exc))


def _file(request: HttpRequest, *, hashed: bool) -> tuple["UploadedFile[bytes]", str]:
    upload = request.FILES.get("file")
    if not isinstance(upload, UploadedFile):
        raise Problem(422, "The form has no file: name its field `file`.")
    digest = sha256()
    for part in upload.chunks(_PART) if hashed else ():
        digest.update(part)
    return upload, digest.hexdigest()


def _spooled(request: HttpRequest, closing: ExitStack) -> tuple[IO[bytes], str]:
    """The body on disk and its digest: a repeated key is recognised before anything is read."""
    # `closing` closes it, once its lines are read.
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 - as said
    closing.callback(spool.close)
    digest = sha256()
    for part in _parts(request):
        digest.update(part)
        spool.write(part)
    spool.seek(0)
    return spool, digest.hexdigest()


def _parts(stream: IO[bytes] | HttpRequest) -> Iterable[bytes]:
    size = 0
    while part := stream.read(_PART):
        size += len(part)
        if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            mb = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
            raise Problem(413, f"The body is larger than {mb} MB: send it in parts.")
        yield part
