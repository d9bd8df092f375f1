from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.runs.conftest import blocks
from validation import intake, retention, services
from validation.models import Chunk, Item, Run, RunState
from validation.subjects import Kind, Malformed, Subject

pytestmark = pytest.mark.django_db

BAD = Malformed(line=7, text="tx:0xzz", reason="not a hash")


def start(entries: list[Subject | Malformed], **options: object) -> Run:
    return services.start_run(entries, **({"level": None, "origin": "api"} | options))  # type: ignore[arg-type]


def test_items_are_kept_in_order_and_covered_by_chunks_exactly_once() -> None:
    run = start([*blocks(1003)])
    assert run.state == RunState.RUNNING
    assert run.total == 1003
    subjects = (
        Item.objects.filter(run_id=run.pk).order_by("ordinal").values_list("subject", flat=True)
    )
    assert list(subjects) == [f"block:{n}" for n in range(1003)]
    covered = [n for c in run.chunks.order_by("first") for n in range(c.first, c.first + c.size)]
    assert covered == list(range(1003))


def test_the_title_counts_what_was_asked() -> None:
    head = Subject(kind=Kind.HEAD, value="")
    assert start([*blocks(2), head]).title == "2 blocks, 1 head"
    assert start([*blocks(1)]).title == "block:0"
    assert start([*blocks(1)], title="Nightly").title == "Nightly"


def test_malformed_entries_refuse_the_whole_run() -> None:
    with pytest.raises(services.MalformedItems) as refused:
        start([*blocks(3), BAD])
    assert refused.value.malformed == [BAD]
    assert refused.value.count == 1
    assert "line 7" in str(refused.value)
    assert not Run.objects.exists()
    assert not Item.objects.exists()


def test_a_draft_keeps_everything_until_someone_decides() -> None:
    run = start([*blocks(3), BAD], on_malformed="draft")
    assert run.state == RunState.DRAFT
    assert run.malformed == [{"line": 7, "text": "tx:0xzz", "reason": "not a hash"}]
    assert not Chunk.objects.exists()
    started = services.start_draft(run)
    assert started.state == RunState.RUNNING
    assert sum(started.chunks.values_list("size", flat=True)) == 3
    with pytest.raises(services.RunRefused, match="running already"):
        services.start_draft(run)


def test_a_discarded_draft_leaves_nothing() -> None:
    run = start([*blocks(3), BAD], on_malformed="draft")
    services.discard_draft(run)
    assert not Run.objects.exists()
    assert not Item.objects.exists()


def test_a_started_run_cannot_be_discarded() -> None:
    run = start([*blocks(3)])
    with pytest.raises(services.RunRefused, match="cancel it instead"):
        services.discard_draft(run)
    assert Item.objects.count() == 3


def test_accepting_the_good_ones_starts_them_and_keeps_the_report() -> None:
    run = start([BAD, *blocks(3)], on_malformed="accept")
    assert (run.state, run.total, run.malformed_count) == (RunState.RUNNING, 3, 1)


@pytest.mark.parametrize("how", ["draft", "accept"])
def test_a_run_of_nothing_but_malformed_lines_is_refused_either_way(how: str) -> None:
    with pytest.raises(services.MalformedItems):
        start([BAD], on_malformed=how)
    assert not Run.objects.exists()


def test_an_empty_run_is_refused() -> None:
    with pytest.raises(services.RunRefused, match="nothing to validate"):
        start([])


def test_the_same_key_gives_the_same_run_and_another_request_a_conflict() -> None:
    user = User.objects.create_user("olga")
    first = start([*blocks(2)], created_by=user, idempotency_key="k", request_digest="a")
    again = start([*blocks(2)], created_by=user, idempotency_key="k", request_digest="a")
    assert again == first
    assert Run.objects.count() == 1
    with pytest.raises(services.IdempotencyConflict, match="'k'"):
        start([*blocks(9)], created_by=user, idempotency_key="k", request_digest="b")
    other = User.objects.create_user("petra")
    assert start([*blocks(2)], created_by=other, idempotency_key="k", request_digest="b") != first


def test_old_drafts_are_forgotten_and_young_ones_kept() -> None:
    old = start([*blocks(1), BAD], on_malformed="draft")
    young = start([*blocks(1), BAD], on_malformed="draft")
    Run.objects.filter(pk=old.pk).update(created_at=old.created_at - timedelta(hours=25))
    assert retention.forget_old_drafts() == 1
    assert list(Run.objects.all()) == [young]
    assert set(Item.objects.values_list("run_id", flat=True)) == {young.pk}


def test_without_a_node_nothing_is_started(settings: Settings) -> None:
    settings.NODES = ()
    with pytest.raises(services.RunRefused, match="set NODE_URLS"):
        start([*blocks(1)])
    assert start([*blocks(1)], node_urls=["http://127.0.0.1:1/"]).total == 1


def test_a_run_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_ITEMS", 5)
    with pytest.raises(services.RunRefused, match="at most 5 items"):
        start([*blocks(6)])
    assert not Item.objects.exists()
