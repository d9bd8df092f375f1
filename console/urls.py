"""Every address of the console; `/events`, `/livez` and `/readyz` are answered before Django."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import include, path, re_path
from django.views.decorators.http import require_safe

from console import errors, exports
from console.access.views import SignIn
from validation.models import Run


@require_safe
def export(_request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
    return exports.stream_results(get_object_or_404(Run, pk=pk), form)


urlpatterns = [
    path("", include("console.pages.urls")),
    re_path(
        r"^validations/(?P<pk>[0-9]{1,18})/results\.(?P<form>ndjson|csv|json)$",
        export,
        name="run-export",
    ),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(next_page="sign-in"), name="sign-out"),
    path("api/v1/", include("console.api.urls")),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error
