"""An item validated again now, and its proof bundle as a file."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from console import afresh
from console.access.roles import Role, requires, role_of
from console.pages import items
from console.proofs import NoProof, download, proof_of


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def again(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    """Shows the fresh outcome beside the one that stands, which it does not change. Only looked
    at, the address asks nobody: a browser that went back comes here.
    """
    run, item = items.found(pk, ordinal)
    if request.method != "POST":
        return items.page(request, run, item)
    try:
        now = afresh.examine(run, item.subject)
    except afresh.NotNow as exc:
        return _refused(items.page(request, run, item, problem=str(exc), status=503))
    return items.page(request, run, item, now=now)


@require_safe
def proof(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    """The bundle that was kept, or one made now; `?now=1` makes one in any case."""
    run, item = items.found(pk, ordinal)
    role = role_of(request.user)
    may_ask = role is not None and role.covers(Role.OPERATOR)
    try:
        document = proof_of(run, item, may_ask=may_ask, wants_new="now" in request.GET)
    except afresh.NotNow as exc:
        return _refused(items.page(request, run, item, problem=str(exc), status=503))
    except NoProof as exc:
        return items.page(request, run, item, problem=str(exc), status=409)
    return download(run, ordinal, document)


def _refused(response: HttpResponse) -> HttpResponse:
    response["Retry-After"] = str(afresh.RETRY_AFTER_S)
    return response
