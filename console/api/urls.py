"""Puts the API together: its routes, its OpenAPI document and the page that explains it."""

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from console.api import (
    alerts,
    audit,
    breakers,
    caches,
    capacity,
    database,
    drills,
    experiments,
    flag_definitions,
    flags,
    gates,
    nodes,
    optimisations,
    pools,
    problems,
    proofs,
    rehearsals,
    rollouts,
    runs,
    workers,
)
from console.api.auth import guarded
from console.api.docs import docs_page
from console.api.schema import openapi_document

api = NinjaAPI(
    title="Switchyard",
    version="1",
    description="Start validations of blockchain data, follow them and read their verdicts; see "
    "and steer the breakers, pools, caches, nodes and flags of the fleet.",
    docs_url=None,
    openapi_url=None,
    urls_namespace="api-v1",
)
problems.install(api)
api.add_router("", runs.router)
api.add_router("", proofs.router)
api.add_router("", workers.router)
api.add_router("", breakers.router)
api.add_router("", pools.router)
api.add_router("", caches.router)
api.add_router("", capacity.router)
api.add_router("", database.router)
api.add_router("", nodes.router)
api.add_router("", drills.router)
# Before those that would take `-`, which is all flags, for a key.
api.add_router("", flag_definitions.router)
api.add_router("", flags.router)
api.add_router("", optimisations.router)
api.add_router("", rollouts.router)
api.add_router("", rehearsals.router)
api.add_router("", experiments.router)
api.add_router("", gates.router)
api.add_router("", audit.router)
api.add_router("", alerts.router)


@require_safe
def openapi(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(openapi_document(api))


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return docs_page(request, openapi_document(api))


def nothing(_request: HttpRequest, rest: str) -> HttpResponse:
    # What stands where the number of a run does, and is none.
    if named := re.match(r"runs/([^/]{1,40})(?=/|$)", rest):
        raise Http404(f"There is no run {named[1]}.")
    raise Http404(f"The API has no address /{rest[:200]}.")


def _routes() -> list[URLPattern]:
    routes = [route for route in api.urls[0] if isinstance(route, URLPattern)]
    return [_guarded(route) for route in routes if route.name != "api-root"]


def _guarded(route: URLPattern) -> URLPattern:
    route.callback = guarded(route.callback)
    return route


urlpatterns: list[Any] = [
    path("openapi.json", guarded(openapi), name="api-openapi"),
    path("docs", docs, name="api-docs"),
    *_routes(),
    path("<path:rest>", guarded(nothing)),
]
