"""Every address × caller × method: who gets in, and nothing else. A new address must be added."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from console.access.tokens import create_token
from validation.models import Run

ROLES = ("viewer", "operator", "admin")
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
ARGUMENTS = {"pk": "{run}", "run_id": "{run}", "ordinal": "0", "form": "csv", "rest": "unknown"}

# The least role that may read (GET) and write (POST) an address; None: nobody does.
MATRIX: dict[str, tuple[str | None, str | None]] = {
    "": ("viewer", None),
    "validations/": ("viewer", None),
    "validations/new/": ("operator", "operator"),
    "validations/new/preview/": (None, "operator"),
    "validations/{run}/": ("viewer", None),
    "validations/{run}/items/0/": ("viewer", None),
    "validations/{run}/start/": (None, "operator"),
    "validations/{run}/discard/": ("operator", "operator"),
    "validations/{run}/cancel/": ("operator", "operator"),
    "validations/{run}/retry/": ("operator", "operator"),
    "validations/{run}/results.csv": ("viewer", None),
    "workers/": ("viewer", None),
    "settings/theme/": (None, "viewer"),
    "settings/tokens/": ("admin", "admin"),
    "settings/tokens/{run}/revoke/": ("admin", "admin"),
    "sign-out/": (None, "viewer"),
    "api/v1/openapi.json": ("viewer", None),
    "api/v1/docs": ("viewer", None),
    "api/v1/runs": ("viewer", "operator"),
    "api/v1/runs/{run}": ("viewer", None),
    "api/v1/runs/{run}/results": ("viewer", None),
    "api/v1/runs/{run}/cancel": (None, "operator"),
    "api/v1/runs/{run}/retry": (None, "operator"),
    "api/v1/workers": ("viewer", None),
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
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda m: ARGUMENTS.get(m[1], "1"), text)


def ours() -> set[str]:
    return {a for a in addresses(get_resolver()) if not a.startswith(("admin/", "static/"))}


def test_the_matrix_names_every_address() -> None:
    assert ours() == set(MATRIX) | OPEN


def _covers(role: str, needed: str | None) -> bool:
    return needed is not None and ROLES.index(role) >= ROLES.index(needed)


@pytest.fixture
def run(people: dict[str, User]) -> Run:
    return Run.objects.create(state="draft", title="x", total=0, origin="page")


@pytest.mark.parametrize("address", sorted(MATRIX))
@pytest.mark.parametrize("method", METHODS)
def test_nobody_anonymous_gets_anything(run: Run, address: str, method: str) -> None:
    response = getattr(Client(), method)("/" + address.format(run=run.pk))
    if address.startswith("api/") and address != "api/v1/docs":
        assert response.status_code == 401
    else:
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("address", sorted(MATRIX))
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", METHODS)
def test_each_role_gets_what_the_matrix_says(
    clients: dict[str, Client], run: Run, address: str, role: str, method: str
) -> None:
    reads, writes = MATRIX[address]
    needed = {"get": reads, "head": reads, "post": writes}.get(method)
    response = getattr(clients[role], method)("/" + address.format(run=run.pk))
    if response.streaming:
        b"".join(response)
    if _covers(role, needed):
        assert response.status_code not in REFUSED | {405}
    elif needed is None:
        # Refused for the role or for the method; OPTIONS only names the methods there are.
        assert response.status_code in REFUSED | {404, 405} or method == "options"
    else:
        assert response.status_code == 403
    if response.status_code == 200 and method == "get":
        assert "no-store" in response["Cache-Control"]


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
    for address in ("", "auth/user/", f"validation/run/{run.pk}/change/", "access/apitoken/"):
        status = clients[role].get(f"/admin/{address}").status_code
        assert status == (200 if role == "admin" else 302)
    for address in ("auth/user/add/", f"validation/run/{run.pk}/delete/"):
        assert clients[role].get(f"/admin/{address}").status_code in {302, 403}
    changed = clients[role].post(f"/admin/validation/run/{run.pk}/change/", {"title": "changed"})
    assert changed.status_code in {302, 403}
    run.refresh_from_db()
    assert run.title == "x"
