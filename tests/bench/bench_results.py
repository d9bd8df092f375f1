"""Writing results: COPY of a chunk in its closing transaction, beside row by row."""

import os
import time
from itertools import count

from tests.bench.bench_fleet import servers
from tests.bench.lines import interleaved, show

ITEMS = 8_000


def main() -> None:
    with servers() as cluster:
        from tests.services import process_environment

        os.environ.update(process_environment(cluster))
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        measure()


def measure() -> None:
    from validation import services, wiring
    from validation.ledger import Ledger
    from validation.models import CheckProfile, Result
    from validation.subjects import Kind, Subject
    from validation.validators import Check, Outcome, Status, Verdict

    names = ("answered", "well_formed", "hash", "sender", "chain", "receipt", "known_fields")
    checks = tuple(Check(name, Status.PASS) for name in names)
    ledger = Ledger(wiring.connect, "bench")

    def outcomes(subjects: tuple[str, ...]) -> list[Outcome]:
        return [
            Outcome(
                subject=subject, verdict=Verdict.VALID, level=2, reason="ok", checks=checks,
                node="127.0.0.1:8545", ms=1.25,
            )
            for subject in subjects
        ]  # fmt: skip

    def copied() -> float:
        subjects = (Subject(kind=Kind.TX, value=f"0x{n:064x}") for n in range(ITEMS))
        services.start_run(subjects, level=2, origin="cli")
        spent = 0.0
        while claim := ledger.claim():
            found = outcomes(claim.subjects)
            started = time.perf_counter()
            ledger.settle(claim, found)
            spent += time.perf_counter() - started
        return spent / ITEMS * 1e6

    numbers = count(1_000_000)

    def row_by_row() -> float:
        run = next(numbers)
        found = outcomes(tuple(f"tx:0x{n:064x}" for n in range(500)))
        profile = CheckProfile.objects.get_or_create(text="answered:pass hash:pass")[0]
        started = time.perf_counter()
        for ordinal, o in enumerate(found):
            Result.objects.create(
                run_id=run, ordinal=ordinal, subject=o.subject, verdict=o.verdict, level=o.level,
                reason=o.reason, node=o.node, ms=o.ms, profile=profile,
            )  # fmt: skip
        return (time.perf_counter() - started) / len(found) * 1e6

    figures = interleaved({"COPY a chunk": copied, "row by row": row_by_row})
    ledger.close()
    show("writing results", figures, unit="µs a row", goal="20")


if __name__ == "__main__":
    main()
