"""Django's WSGI handler, which leaves behind the name of the route that a request took."""

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponseBase

from console import request_spans

ROUTE = "switchyard.route"


class RoutedHandler(WSGIHandler):
    """Its routes are names of the code, so there are as many as addresses in it: no path, no id."""

    def get_response(self, request: WSGIRequest) -> HttpResponseBase:  # type: ignore[override]
        with request_spans.serving(request) as answered:
            response = super().get_response(request)
            route = request.environ[ROUTE] = _route(request)
            answered(route, response.status_code)
        return response


def _route(request: WSGIRequest) -> str:
    match = request.resolver_match
    if match is not None:
        return match.view_name or match.route
    return "static" if request.path.startswith(settings.STATIC_URL) else "none"
