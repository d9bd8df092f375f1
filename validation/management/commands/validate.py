"""`manage.py validate`: a run through the fleet, or `--local` in this process alone."""

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from monitoring import snapshots
from validation import intake, quorum, services, tracing, wiring
from validation.engine import Engine
from validation.management.pipes import read_enough
from validation.models import Run
from validation.report import Report
from validation.rpc import NodeUrl
from validation.subjects import Malformed, Subject, SubjectError, expand, read_upload
from validation.validators import Agreement, Check, Outcome, Verdict

ALL_VALID, SOME_NOT, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 130
_POLL_S = 0.1
_LONELY_S = 5.0
_HIGHEST_LEVEL = 5


class CannotRun(Exception):
    """Says to the person at the terminal why nothing was validated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is wanted of each item."""

    level: int | None
    agreement: int | None


class Command(BaseCommand):
    help = "Validates subjects: tx:0x…, block:123, block:1-5000, address:0x…, head"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", nargs="*", metavar="SUBJECT")
        parser.add_argument("--file", help="a list, CSV or NDJSON file; - reads standard input")
        parser.add_argument("--node", action="append", default=[], metavar="URL")
        parser.add_argument(
            "--level", type=int, help="0 to 5; default: 4 with a CHECKPOINT, else 3"
        )
        parser.add_argument(
            "--agree", type=int, metavar="M", help="how many nodes must say the same; default: one"
        )
        parser.add_argument("--local", action="store_true", help="no fleet, no database, no broker")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument("--accept-valid", action="store_true", help="skip malformed lines")

    def handle(self, *_: Any, **options: Any) -> None:
        report = Report(as_json=options["json"])
        try:
            sys.exit(self._run(report, options))
        except KeyboardInterrupt:
            report.say("Interrupted.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            sys.exit(read_enough())
        except services.MalformedItems as exc:
            report.malformed(exc.malformed, exc.count)
        except (CannotRun, services.RunRefused, SubjectError) as exc:
            report.say(f"validate: {exc}")
        except DatabaseError as exc:
            report.say(f"validate: the database does not answer: {str(exc).splitlines()[0]}")
        sys.exit(COULD_NOT_RUN)

    def _run(self, report: Report, options: dict[str, Any]) -> int:
        level = options["level"]
        if level is not None and not 0 <= level <= _HIGHEST_LEVEL:
            raise CannotRun(f"--level {level} is not a level from 0 to {_HIGHEST_LEVEL}.")
        entries = _entries(options["subject"], options["file"])
        nodes = _nodes(options["node"])
        asked = _Asked(level=level, agreement=options["agree"])
        accept = bool(options["accept_valid"])
        if options["local"]:
            here = tuple(nodes) or settings.NODES
            if not here:
                raise CannotRun("no node to ask: give --node URL, or set NODE_URLS.")
            _check_agreement(asked.agreement, here)
            with _checked(entries, accept=accept) as (subjects, total):
                asyncio.run(_validate_here(report, subjects, total, here, asked))
            report.summary()
        else:
            run = _start(entries, [node.secret_url for node in nodes], asked, accept=accept)
            if not _through_fleet(report, run):
                return SOME_NOT
        return ALL_VALID if report.all_valid else SOME_NOT


def _check_agreement(agreement: int | None, nodes: Sequence[NodeUrl]) -> None:
    if refusal := quorum.refusal(agreement, [node.secret_url for node in nodes]):
        raise CannotRun(f"--agree {agreement}: {refusal}")


def _entries(subjects: Iterable[str], file: str | None) -> Iterator[Subject | Malformed]:
    for number, text in enumerate(subjects, 1):
        try:
            yield from expand(text)
        except SubjectError as exc:
            yield Malformed(line=number, text=text[:200], reason=str(exc))
    if file is None:
        return
    try:
        stream = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as exc:
        raise CannotRun(f"--file {file}: {exc.strerror}.") from exc
    with stream:
        name = "" if file == "-" else Path(file).name
        chunks = iter(lambda: stream.read(1 << 16), b"")
        yield from read_upload(chunks, filename=name, content_type="")


def _nodes(urls: Iterable[str]) -> list[NodeUrl]:
    try:
        return list(dict.fromkeys(NodeUrl.parse(url) for url in urls))
    except ValueError as exc:
        raise CannotRun(f"--node: {exc}") from exc


@contextmanager
def _checked(
    entries: Iterable[Subject | Malformed], *, accept: bool
) -> Iterator[tuple[Iterable[str], int]]:
    """The subjects and their number, once all are read: on disk, for there may be millions."""
    malformed: list[Malformed] = []
    count = malformed_count = 0
    with TemporaryFile("w+", encoding="ascii") as spool:
        for entry in entries:
            if isinstance(entry, Malformed):
                malformed_count += 1
                if len(malformed) < intake.MALFORMED_KEPT:
                    malformed.append(entry)
                continue
            count += 1
            if count > intake.MAX_ITEMS:
                raise CannotRun(f"at most {intake.MAX_ITEMS:,} items at once: split them.")
            spool.write(f"{entry}\n")
        if malformed and not (accept and count):
            raise services.MalformedItems(malformed, malformed_count)
        if not count:
            raise CannotRun("there is nothing to validate: name a subject or --file.")
        spool.seek(0)
        yield map(str.rstrip, spool), count


async def _validate_here(
    report: Report,
    subjects: Iterable[str],
    total: int,
    nodes: tuple[NodeUrl, ...],
    asked: _Asked,
) -> None:
    config = wiring.rpc_config(nodes, processes=1)
    engine = Engine.on(config, checkpoint=settings.CHECKPOINT)
    done = 0

    def tell(_: int, outcome: Outcome) -> None:
        nonlocal done
        done += 1
        report.outcome(outcome)
        report.progress(done, total)

    try:
        await engine.validate_each(
            subjects, level=asked.level, agreement=asked.agreement, tell=tell
        )
    finally:
        await engine.client.aclose()


def _start(
    entries: Iterable[Subject | Malformed],
    node_urls: list[str],
    asked: _Asked,
    *,
    accept: bool,
) -> Run:
    if not wiring.has_database():
        raise CannotRun("no database: run `make up` first, set DATABASE_URL, or use --local.")
    with tracing.command("validate"):
        return services.start_run(
            entries,
            level=asked.level,
            agreement=asked.agreement,
            origin="cli",
            node_urls=node_urls,
            on_malformed="accept" if accept else "refuse",
        )


def _through_fleet(report: Report, run: Run) -> bool:
    """Follows the run and prints its results; False where some items have none."""
    try:
        _follow(report, run)
    except KeyboardInterrupt:
        with suppress(services.RunRefused):  # it ended just now
            services.cancel_run(run)
            report.say(f"{run} is cancelled.")
        raise
    read, after = 0, -1
    while page := services.results_page(run, after=after):
        for result in page:
            report.outcome(_outcome(result))
        read, after = read + len(page), page[-1].ordinal
    if read < run.total:
        report.say(f"{run} was cancelled: {run.total - read:,} of {run.total:,} have no verdict.")
    report.summary(f"{run}: ")
    return read == run.total


def _follow(report: Report, run: Run) -> None:
    started = time.monotonic()
    lonely_said = False
    while True:
        progress = services.progress([run.pk])[run.pk]
        report.progress(progress.done, progress.total, rate=progress.rate)
        if progress.state in {"done", "cancelled"}:
            return
        if not lonely_said and not progress.done and time.monotonic() - started > _LONELY_S:
            lonely_said = True
            if not snapshots.live_count():
                report.say(f"{run} waits: no worker reports. Is `make up` running?")
        time.sleep(_POLL_S)


def _outcome(result: Any) -> Outcome:
    return Outcome(
        subject=result.subject,
        verdict=Verdict(result.verdict),
        level=result.level,
        reason=result.reason,
        checks=tuple(msgspec.convert(check, Check) for check in result.checks),
        node=result.node,
        ms=result.ms,
        source=result.source,
        age_s=result.age_s,
        block=result.block,
        agreement=msgspec.convert(result.agreement, Agreement | None),
    )
