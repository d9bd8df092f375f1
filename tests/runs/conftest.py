from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from validation import services, wiring
from validation.ledger import Claim, Ledger
from validation.models import Chunk, Run
from validation.subjects import Kind, Subject
from validation.validators import Check, Outcome, Status, Verdict


def blocks(count: int) -> list[Subject]:
    return [Subject(kind=Kind.BLOCK, value=str(n)) for n in range(count)]


def outcomes(claim: Claim, verdict: Verdict = Verdict.VALID, reason: str = "ok") -> list[Outcome]:
    return [
        Outcome(
            subject=subject,
            verdict=verdict,
            level=2,
            reason=reason,
            checks=(Check("hash", Status.PASS, 'a "quoted" \\ \t detail'),),
            node="node:8545",
            ms=1.5,
        )
        for subject in claim.subjects
    ]


@pytest.fixture
def start(transactional_db: None) -> Callable[..., Run]:
    """Starts a run of so many blocks; the wake-up finds no broker and is not needed."""

    def start_run(count: int = 10, **options: object) -> Run:
        return services.start_run(blocks(count), **({"level": None, "origin": "cli"} | options))  # type: ignore[arg-type]

    return start_run


@pytest.fixture
def new_ledger(transactional_db: None) -> Iterator[Callable[[str], Ledger]]:
    opened: list[Ledger] = []

    def make(name: str = "worker") -> Ledger:
        opened.append(Ledger(wiring.connect, name, restart_grace_s=0))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(new_ledger: Callable[[str], Ledger]) -> Ledger:
    return new_ledger("worker")


def lapse_leases() -> None:
    """What six silent seconds do, without waiting for them."""
    Chunk.objects.filter(state="leased").update(lease_until=Now() - timedelta(seconds=1))
