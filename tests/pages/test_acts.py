"""Cancel, retry, start and discard: they ask, count, do it once and say what happened."""

from collections.abc import Callable

from django.test import Client

from tests.pages.conftest import Page
from validation.models import Item, Run, RunState

See = Callable[..., Page]
MIX = {"valid": ("ok", 6), "not_found": ("not_found", 2), "error": ("node_timeout", 3)}


def _said(client: Client, url: str, query: str = "") -> str:
    response = client.post(f"{url}{query}", follow=True)
    assert response.status_code == 200
    return Page(response.content.decode()).text


def test_cancel_asks_first_and_counts(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(20, state=RunState.RUNNING, mix=MIX)
    page = see(operator, f"/validations/{run.pk}/cancel/")
    assert "Cancel 9 waiting items" in page.text
    assert "the 11 results stay" in page.text
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_cancel_stops_the_run(operator: Client, made_run: Callable[..., Run]) -> None:
    run = made_run(20, state=RunState.RUNNING, mix=MIX)
    said = _said(operator, f"/validations/{run.pk}/cancel/")
    assert f"{run} is cancelled" in said
    assert "Cancelled · 9 not validated" in said
    assert "is cancelled: nothing to cancel" in _said(operator, f"/validations/{run.pk}/cancel/")


def test_the_dialog_is_the_page_without_its_frame(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(20, state=RunState.RUNNING)
    part = see(operator, f"/validations/{run.pk}/cancel/", **{"HX-Request": "true"})
    assert part.tags[0][0] == "form"
    assert part.tags[0][1]["action"] == f"/validations/{run.pk}/cancel/"


def test_retry_starts_a_new_run_of_what_failed(
    operator: Client, made_run: Callable[..., Run]
) -> None:
    run = made_run(11, mix=MIX)
    said = _said(operator, f"/validations/{run.pk}/retry/")
    new = Run.objects.get(retry_of=run)
    assert f"{new} validates 5 items of {run} again" in said
    assert (new.total, new.state) == (5, RunState.RUNNING)


def test_retry_of_one_reason(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    run = made_run(11, mix=MIX)
    query = "?verdict=error&reason=node_timeout"
    assert "Retry 3 items" in see(operator, f"/validations/{run.pk}/retry/{query}").text
    _said(operator, f"/validations/{run.pk}/retry/", query)
    assert Run.objects.get(retry_of=run).total == 3


def test_there_may_be_nothing_to_retry(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(3, mix={"valid": ("ok", 3)})
    assert "nothing to retry" in see(operator, f"/validations/{run.pk}/retry/").text
    assert "has nothing to retry" in _said(operator, f"/validations/{run.pk}/retry/")
    assert not Run.objects.filter(retry_of=run).exists()


def test_a_draft_starts(operator: Client, made_run: Callable[..., Run]) -> None:
    run = made_run(7, state=RunState.DRAFT, malformed_count=1, malformed=[])
    assert f"{run} started with 7 items" in _said(operator, f"/validations/{run.pk}/start/")
    assert "is running already" in _said(operator, f"/validations/{run.pk}/start/")


def test_a_draft_is_discarded(operator: Client, made_run: Callable[..., Run]) -> None:
    run = made_run(7, state=RunState.DRAFT, malformed_count=1, malformed=[])
    assert "was discarded" in _said(operator, f"/validations/{run.pk}/discard/")
    assert not Run.objects.filter(pk=run.pk).exists()
    assert not Item.objects.filter(run_id=run.pk).exists()


def test_a_running_one_is_not_discarded(operator: Client, made_run: Callable[..., Run]) -> None:
    run = made_run(7, state=RunState.RUNNING)
    assert "no draft any more" in _said(operator, f"/validations/{run.pk}/discard/")
    assert Run.objects.filter(pk=run.pk).exists()


def test_a_get_starts_nothing(operator: Client, made_run: Callable[..., Run]) -> None:
    run = made_run(7, state=RunState.DRAFT)
    assert operator.get(f"/validations/{run.pk}/start/").status_code == 405
