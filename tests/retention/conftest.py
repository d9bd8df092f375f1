"""Rules by settings, and runs that ended when a test says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from console.access.audit import Actor
from console.access.roles import Role
from tests.records import check_fields
from validation.models import Anchor, Catch, Chunk, Evidence, Item, Result, Retraction, Run

NOW = datetime(2030, 6, 15, 13, 30, tzinfo=UTC)
BEAT = Actor(name="retention", role=Role.ADMIN, origin="beat", source="rack-4")


@pytest.fixture(autouse=True)
def kept(settings: Settings) -> Settings:
    """For ever, until a test says otherwise."""
    settings.RETAIN_RUNS_DAYS = settings.RETAIN_EVIDENCE_DAYS = settings.RETAIN_AUDIT_DAYS = 0
    settings.RETAIN_ALERTS_DAYS = 0
    return settings


@pytest.fixture
def ended(db: None) -> Callable[..., Run]:
    """A run of three items that ended so many days before NOW, with a row in each table."""

    def make(days: float, *, items: int = 3, state: str = "done") -> Run:
        finished = NOW - timedelta(days=days)
        run = Run.objects.create(
            state=state, title="of old", total=items, origin="api", finished_at=finished
        )
        Chunk.objects.create(run=run, first=0, size=items, state="done", closed_at=finished)
        for n in range(items):
            key = {"run_id": run.pk, "ordinal": n}
            Item.objects.create(**key, subject="head")
            Result.objects.create(
                **key, subject="head", verdict="invalid", level=1, reason="x", node="n", ms=1,
                **check_fields([{"name": "hash", "status": "fail"}]),
            )  # fmt: skip
            Evidence.objects.create(**key, bundle=b"x", kept_at=finished)
            Anchor.objects.create(**key, block_number=1, block_hash="0x1")
            Retraction.objects.create(
                **key, verdict="valid", level=1, reason="ok", block_number=1, block_hash="0x1"
            )
            Catch.objects.create(**key, label="n:1", subject="head", check_name="hash", detail="")
        return run

    return make
