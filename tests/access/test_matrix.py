"""Every address × caller × method: who gets in, and nothing else. A new address must be added."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from console.access.tokens import create_token
from tests.access.conftest import PASSWORD
from validation.models import Run

ROLES = ("viewer", "operator", "admin")
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
ARGUMENTS = {"pk": "{run}", "run_id": "{run}", "ordinal": "0", "form": "csv", "rest": "unknown",
             "name": "l2", "label": "127.0.0.1:9", "key": "cache.codec",
             "optimisation": "1.4"}  # fmt: skip

# What an operator does to a breaker, each on a page that asks first.
ACTS = ("open", "close", "metrics-only", "disable", "reset", "tune", "auto")
# The node that tests/services.py names.
NODE = "nodes/127.0.0.1:9"

# One of the release; the acts on it that are an operator's, and those that are an admin's.
FLAG = "flags/cache.codec"
OF_OPERATORS = ("stage", "roll-back", "plan", "freeze", "thaw")
OF_ROLLOUTS = ("ramp", "promote", "hold", "resume", "abort", "rehearse")
OF_ADMINS = ("edit", "delete", "enable", "disable")

# The least role that may read (GET) and write (POST) an address; None: nobody does.
MATRIX: dict[str, tuple[str | None, str | None]] = {
    "": ("viewer", None),
    "validations/": ("viewer", None),
    "validations/new/": ("operator", "operator"),
    "validations/new/preview/": (None, "operator"),
    "validations/{run}/": ("viewer", None),
    "validations/{run}/items/0/": ("viewer", None),
    "validations/{run}/items/0/again/": ("operator", "operator"),
    "validations/{run}/items/0/proof/": ("viewer", "operator"),
    "validations/{run}/start/": (None, "operator"),
    "validations/{run}/discard/": ("operator", "operator"),
    "validations/{run}/cancel/": ("operator", "operator"),
    "validations/{run}/retry/": ("operator", "operator"),
    "validations/{run}/results.csv": ("viewer", None),
    "breakers/": ("viewer", None),
    "breakers/l2/": ("viewer", None),
    **{f"breakers/l2/{act}/": ("operator", "operator") for act in ACTS},
    "nodes/": ("viewer", None),
    "nodes/add/": ("admin", "admin"),
    "nodes/test/": (None, "admin"),
    f"{NODE}/": ("viewer", None),
    f"{NODE}/test/": (None, "operator"),
    f"{NODE}/drill/": ("viewer", "operator"),
    f"{NODE}/cordon/": ("operator", "operator"),
    f"{NODE}/uncordon/": ("operator", "operator"),
    f"{NODE}/move/": ("admin", "admin"),
    f"{NODE}/remove/": ("admin", "admin"),
    "pools/": ("viewer", None),
    "caches/": ("viewer", None),
    "caches/purge/": ("operator", "operator"),
    "caches/resize/": ("operator", "operator"),
    "flags/": ("viewer", None),
    "flags/-/add/": ("admin", "admin"),
    "flags/-/import/": ("admin", "admin"),
    "flags/-/export/": ("viewer", None),
    "flags/-/freeze/": ("operator", "operator"),
    "flags/-/thaw/": ("operator", "operator"),
    f"{FLAG}/": ("viewer", None),
    f"{FLAG}/export/": ("viewer", None),
    **{f"{FLAG}/{act}/": ("operator", "operator") for act in (*OF_OPERATORS, "cancel-plan")},
    **{f"{FLAG}/{act}/": ("admin", "admin") for act in OF_ADMINS},
    "find/": ("viewer", None),
    "roadmap/": ("viewer", None),
    "roadmap/export.csv": ("viewer", None),
    "roadmap/export.json": ("viewer", None),
    "roadmap/report/": ("viewer", None),
    "roadmap/1.4/": ("viewer", None),
    "roadmap/1.4/measure/": ("operator", "operator"),
    "roadmap/1.4/edit/": ("operator", "operator"),
    "roadmap/experiments/{run}/": ("viewer", None),
    "roadmap/experiments/{run}/cancel/": ("operator", "operator"),
    "flags/-/rollouts-on/": ("operator", "operator"),
    **{f"{FLAG}/{act}/": ("operator", "operator") for act in OF_ROLLOUTS},
    "alerts/": ("viewer", None),
    "alerts/{run}/": ("viewer", None),
    "alerts/{run}/acknowledge/": ("operator", "operator"),
    "alerts/silences/add/": ("operator", "operator"),
    "alerts/silences/{run}/end/": ("operator", "operator"),
    "alerts/test/": ("operator", "operator"),
    "alerts/runbooks/l2/": ("viewer", None),
    "audit/": ("viewer", None),
    "audit/{run}/revert/": ("operator", "operator"),
    "workers/": ("viewer", None),
    "database/": ("viewer", None),
    "capacity/": ("viewer", None),
    "settings/theme/": (None, "viewer"),
    "settings/tokens/": ("admin", "admin"),
    "settings/tokens/{run}/revoke/": ("admin", "admin"),
    "sign-out/": (None, "viewer"),
    "api/v1/openapi.json": ("viewer", None),
    "api/v1/docs": ("viewer", None),
    "api/v1/runs": ("viewer", "operator"),
    "api/v1/runs/{run}": ("viewer", None),
    "api/v1/runs/{run}/results": ("viewer", None),
    "api/v1/runs/{run}/items/0/proof": ("viewer", None),
    "api/v1/runs/{run}/cancel": (None, "operator"),
    "api/v1/runs/{run}/retry": (None, "operator"),
    "api/v1/workers": ("viewer", None),
    "api/v1/database": ("viewer", None),
    "api/v1/capacity": ("viewer", None),
    "api/v1/breakers": ("viewer", None),
    "api/v1/breakers/l2": ("viewer", None),
    "api/v1/breakers/l2/override": (None, "operator"),
    "api/v1/nodes": ("viewer", "admin"),
    "api/v1/nodes/order": (None, "admin"),
    "api/v1/nodes/test": (None, "admin"),
    f"api/v1/{NODE}": ("viewer", None),
    f"api/v1/{NODE}/cordon": (None, "operator"),
    f"api/v1/{NODE}/uncordon": (None, "operator"),
    f"api/v1/{NODE}/remove": (None, "admin"),
    f"api/v1/{NODE}/test": (None, "operator"),
    f"api/v1/{NODE}/drill": ("viewer", "operator"),
    "api/v1/pools": ("viewer", None),
    "api/v1/pools/databases": ("viewer", None),
    "api/v1/pools/replicas": ("viewer", None),
    "api/v1/pools/pgbouncer": ("viewer", None),
    "api/v1/caches": ("viewer", None),
    "api/v1/caches/purge": (None, "operator"),
    "api/v1/caches/resize": (None, "operator"),
    "api/v1/flags": ("viewer", "admin"),
    "api/v1/flags/-/export": ("viewer", None),
    "api/v1/flags/-/import": (None, "admin"),
    "api/v1/flags/-/freeze": (None, "operator"),
    "api/v1/flags/-/thaw": (None, "operator"),
    f"api/v1/{FLAG}": ("viewer", None),
    **{f"api/v1/{FLAG}/{act}": (None, "operator") for act in (*OF_OPERATORS, "plan/cancel")},
    **{f"api/v1/{FLAG}/{act}": (None, "admin") for act in OF_ADMINS},
    "api/v1/alerts": ("viewer", None),
    "api/v1/alerts/rules": ("viewer", None),
    "api/v1/alerts/test": (None, "operator"),
    "api/v1/alerts/1/acknowledge": (None, "operator"),
    "api/v1/silences": (None, "operator"),
    "api/v1/silences/1/end": (None, "operator"),
    "api/v1/gates": ("viewer", None),
    "api/v1/targets": ("viewer", None),
    "api/v1/optimisations": ("viewer", None),
    "api/v1/optimisations/1.4": ("viewer", None),
    "api/v1/optimisations/1.4/edit": (None, "operator"),
    "api/v1/roadmap": ("viewer", None),
    "api/v1/rollouts": ("viewer", "operator"),
    "api/v1/rollouts/-/resume": (None, "operator"),
    "api/v1/rollouts/{run}": ("viewer", None),
    **{
        f"api/v1/rollouts/{{run}}/{act}": (None, "operator")
        for act in ("promote", "hold", "resume", "abort")
    },
    "api/v1/rehearsals": ("viewer", "operator"),
    "api/v1/rehearsals/1": ("viewer", None),
    "api/v1/claims": ("viewer", None),
    "api/v1/experiments": ("viewer", "operator"),
    "api/v1/experiments/1": ("viewer", None),
    "api/v1/experiments/1/cancel": (None, "operator"),
    "api/v1/audit": ("viewer", None),
    "api/v1/audit/1/revert": (None, "operator"),
    "api/v1/unknown": ("viewer", "viewer"),
}
# Open to everybody, because a session begins there.
OPEN = {"sign-in/"}
REFUSED = {401, 403}


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from addresses(entry, f"{prefix}{_filled(entry)}")
        elif isinstance(entry, URLPattern):
            yield f"{prefix}{_filled(entry)}"


def _filled(entry: URLPattern | URLResolver) -> str:
    text = str(entry.pattern).strip("^$").replace("\\.", ".")
    text = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda m: ARGUMENTS.get(m[1], "1"), text)
    # Of a converter of its own, an argument of its own where it has one.
    return re.sub(
        r"<(?:(\w+):)?(\w+)>", lambda m: ARGUMENTS.get(m[1]) or ARGUMENTS.get(m[2], "1"), text
    )


def admins() -> set[str]:
    return {a for a in addresses(get_resolver()) if a.startswith("admin/")}


def ours() -> set[str]:
    return {a for a in addresses(get_resolver()) if not a.startswith(("admin/", "static/"))}


def test_the_matrix_names_every_address() -> None:
    assert ours() == set(MATRIX) | OPEN


def _covers(role: str, needed: str | None) -> bool:
    return needed is not None and ROLES.index(role) >= ROLES.index(needed)


@pytest.fixture
def run(people: dict[str, User]) -> Run:
    return Run.objects.create(state="draft", title="x", total=0, origin="page")


def _asked(browser: Client, method: str, address: str, run: Run) -> HttpResponse:
    """The answer; what it changed is taken back, so that the next address finds all in place."""
    client = Client()
    client.cookies.update(browser.cookies)
    with transaction.atomic():
        response: HttpResponse = getattr(client, method)("/" + address.format(run=run.pk))
        if response.streaming:
            b"".join(response)
        transaction.set_rollback(True)
    return response


@pytest.mark.parametrize("method", METHODS)
def test_nobody_anonymous_gets_anything(run: Run, method: str) -> None:
    surprises = []
    for address in MATRIX:
        response = _asked(Client(), method, address, run)
        refused = address.startswith("api/") and address != "api/v1/docs"
        to_sign_in = response.headers.get("Location", "").startswith("/sign-in/")
        if not (response.status_code == 401 if refused else to_sign_in):
            surprises.append((address, response.status_code))
    assert surprises == []


def _as_expected(response: HttpResponse, role: str, needed: str | None, method: str) -> bool:
    if _covers(role, needed):
        private = "no-store" in response.headers.get("Cache-Control", "")
        return response.status_code not in REFUSED | {405} and (private or method != "get")
    if needed is not None:
        return response.status_code == 403
    # Refused for the role or for the method; OPTIONS only names the methods there are.
    return response.status_code in REFUSED | {404, 405} or method == "options"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", METHODS)
def test_each_role_gets_what_the_matrix_says(
    clients: dict[str, Client], run: Run, role: str, method: str
) -> None:
    surprises = []
    for address, (reads, writes) in MATRIX.items():
        needed = {"get": reads, "head": reads, "post": writes}.get(method)
        response = _asked(clients[role], method, address, run)
        if not _as_expected(response, role, needed, method):
            surprises.append((address, response.status_code))
    assert surprises == []


@pytest.mark.parametrize("role", ROLES)
def test_a_token_gets_what_a_session_of_its_role_gets(
    people: dict[str, User], run: Run, role: str
) -> None:
    _, secret = create_token(people["admin"], "t", role)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    for address in (a for a in MATRIX if a.startswith("api/") and a != "api/v1/docs"):
        for method, needed in zip(("get", "post"), MATRIX[address], strict=True):
            status = getattr(client, method)("/" + address.format(run=run.pk)).status_code
            if _covers(role, needed):
                assert status not in REFUSED
            elif needed is not None:
                assert status == 403


@pytest.mark.parametrize("role", [*ROLES, "anonymous"])
def test_the_admin_is_for_admins_and_only_reads(
    clients: dict[str, Client], run: Run, role: str
) -> None:
    tables = ("auth/user/", "access/apitoken/", "access/auditentry/", "validation/control/")
    for address in ("", f"validation/run/{run.pk}/change/", *tables):
        status = clients[role].get(f"/admin/{address}").status_code
        assert status == (200 if role == "admin" else 302)
    for address in ("auth/user/add/", f"validation/run/{run.pk}/delete/"):
        assert clients[role].get(f"/admin/{address}").status_code in {302, 403}
    changed = clients[role].post(f"/admin/validation/run/{run.pk}/change/", {"title": "changed"})
    assert changed.status_code in {302, 403}
    run.refresh_from_db()
    assert run.title == "x"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.django_db
def test_the_admin_has_no_door_of_its_own(method: str) -> None:
    """Every password is tried where tries are counted, with a form's token or without."""
    assert "admin/login/" in admins()
    surprises = []
    for address in admins():
        response = getattr(Client(), method)(f"/{address}")
        onward = response.headers.get("Location", "").partition("?")[0]
        if response.status_code != 302 or onward not in {"/sign-in/", "/admin/login/"}:
            surprises.append((address, response.status_code, onward))
    assert surprises == []
    login = getattr(Client(enforce_csrf_checks=True), method)("/admin/login/?next=//evil.example")
    assert login["Location"] == "/sign-in/?next=/admin/"


def test_a_password_given_to_the_admin_is_not_tried(people: dict[str, User]) -> None:
    client = Client()
    client.post("/admin/login/", {"username": "admin", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_who_may_not_see_the_admin_is_told_so(clients: dict[str, Client]) -> None:
    response = clients["operator"].get("/admin/", follow=True)
    assert response.status_code == 403
    assert "need the role admin" in response.content.decode()
