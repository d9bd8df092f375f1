from collections.abc import Callable

from django.test import Client

from validation.models import Item, Result, Run

RUNS = "/api/v1/runs"


def test_cancel_stops_and_says_where_it_stands(operator: Client) -> None:
    started = operator.post(
        RUNS, '{"items": ["block:1-50"]}', content_type="application/json"
    ).json()
    response = operator.post(f"{RUNS}/{started['id']}/cancel")
    assert response.status_code == 200
    assert response.json()["state"] == "cancelled"


def test_what_ended_cannot_be_cancelled(operator: Client, finished_run: Callable[..., Run]) -> None:
    response = operator.post(f"{RUNS}/{finished_run().pk}/cancel")
    assert response.status_code == 409
    assert "nothing to cancel" in response.json()["detail"]


def test_retry_starts_a_run_of_what_failed(
    operator: Client, finished_run: Callable[..., Run]
) -> None:
    run = finished_run(3)
    body = operator.post(f"{RUNS}/{run.pk}/retry")
    assert body.status_code == 202
    assert body.json()["total"] == 1
    new = Run.objects.get(pk=body.json()["id"])
    assert (new.retry_of, new.origin) == (run, "api")
    assert Item.objects.get(run=new).subject == "block:0"


def test_a_run_that_goes_on_is_not_retried(operator: Client) -> None:
    run = Run.objects.create(state="running", title="x", origin="api")
    assert operator.post(f"{RUNS}/{run.pk}/retry").status_code == 409


def test_what_was_taken_back_is_retried_alone(
    operator: Client, finished_run: Callable[..., Run]
) -> None:
    run = finished_run(5)
    Result.objects.filter(run=run, ordinal__gt=2).update(
        verdict="unverifiable", reason="reorganised"
    )
    body = operator.post(f"{RUNS}/{run.pk}/retry?reason=reorganised").json()
    assert body["total"] == 2
    assert operator.post(f"{RUNS}/{run.pk}/retry?verdict=invalid").json()["total"] == 1
    assert operator.post(f"{RUNS}/{run.pk}/retry?verdict=error").status_code == 409
    assert operator.post(f"{RUNS}/{run.pk}/retry?reason=No%20such").status_code == 422
