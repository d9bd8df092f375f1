import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from console import errors, urls

RAISED = {
    "400": SuspiciousOperation("canary"),
    "403": PermissionDenied("This needs the role admin."),
    "404": Http404("canary"),
    "500": RuntimeError("postgresql://user:canary@db"),
    "503": OperationalError("postgresql://user:canary@db"),
}


def fail(_request: HttpRequest, status: str) -> HttpResponse:
    raise RAISED[status]


urlpatterns = [path("fail/<status>", fail), path("api/fail/<status>", fail), *urls.urlpatterns]
handler400, handler403 = errors.bad_request, errors.permission_denied
handler404, handler500 = errors.not_found, errors.server_error

pytestmark = pytest.mark.urls("tests.web.test_errors")


@pytest.mark.parametrize("status", sorted(RAISED))
def test_a_person_gets_a_page_without_a_traceback(clients: dict[str, Client], status: str) -> None:
    browser = clients["viewer"]
    browser.raise_request_exception = False
    response = browser.get(f"/fail/{status}")
    page = response.content.decode()
    assert response.status_code == int(status)
    assert response["Content-Type"].startswith("text/html")
    assert "canary" not in page
    assert "Traceback" not in page
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", sorted(RAISED))
def test_a_program_gets_a_problem(clients: dict[str, Client], status: str) -> None:
    browser = clients["viewer"]
    browser.raise_request_exception = False
    response = browser.get(f"/api/fail/{status}")
    assert response.status_code == int(status)
    assert response["Content-Type"] == "application/problem+json"
    assert "canary" not in response.content.decode()


def test_the_reference_on_the_page_is_the_one_in_the_log(
    clients: dict[str, Client], caplog: pytest.LogCaptureFixture
) -> None:
    clients["viewer"].raise_request_exception = False
    page = clients["viewer"].get("/fail/500").content.decode()
    (logged,) = [r.msg for r in caplog.records if "request_failed" in str(r.msg)]
    assert isinstance(logged, dict)
    assert logged["reference"] in page


def test_a_form_that_is_out_of_date_is_called_so(clients: dict[str, Client]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies.update(clients["viewer"].cookies)
    response = browser.post("/settings/theme/", {"theme": "dark"})
    page = response.content.decode()
    assert response.status_code == 403
    assert "<h1>This form is out of date</h1>" in page
    assert "not yours to do" not in page
    assert "reload the page and send it again" in page
