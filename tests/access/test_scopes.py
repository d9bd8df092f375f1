"""A token does what its role allows, in the areas of its scopes, and nothing else."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console import controls
from console.access import audit
from console.access.roles import Role
from console.access.scopes import Scope
from console.access.tokens import create_token
from console.api.auth import scope_of
from console.api.schema import openapi_document
from console.api.urls import api
from console.controls import NotReversible
from console.flags.models import Flag
from tests.flags.made import WHY, actor, flag, newest

# An operation of each area, with the least role that it takes.
ASKED = (
    ("GET", "/api/v1/runs", "read"),
    ("GET", "/api/v1/audit", "read"),
    ("GET", "/api/v1/flags", "read"),
    ("POST", "/api/v1/runs", "runs"),
    ("POST", "/api/v1/runs/1/cancel", "runs"),
    ("POST", "/api/v1/breakers/l2/override", "control"),
    ("POST", "/api/v1/caches/purge", "control"),
    ("POST", "/api/v1/nodes/127.0.0.1:9/cordon", "control"),
    ("POST", "/api/v1/flags/cache.l1.eviction/stage", "flags"),
    ("POST", "/api/v1/optimisations/1.4/edit", "flags"),
    ("POST", "/api/v1/nodes", "admin"),
    ("POST", "/api/v1/nodes/order", "admin"),
)


@pytest.mark.parametrize("scope", list(Scope))
def test_each_scope_opens_its_area_alone(people: dict[str, User], scope: Scope) -> None:
    _, secret = create_token(people["admin"], "narrow", "admin", scopes=[scope])
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    for method, address, needed in ASKED:
        response: Any = program.generic(method, address, b"{}", content_type="application/json")
        if needed == scope:
            assert response.status_code not in {401, 403}, address
            continue
        said = response.json()["detail"]
        assert (response.status_code, said) == (
            403,
            f"This needs the scope {needed}; your token 'narrow' has {scope}.",
        ), address


# One act of each kind, and what it takes to take it back.
TAKES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
    "breaker": ("breaker", "override", {"mode": "auto"}, {"mode": "disabled"}, "control"),
    "cache": ("l1", "resize", {}, {"settings": {"max_entries": 50}}, "control"),
    "cordon": ("nodes", "cordon", {"state": "in"}, {"state": "cordoned"}, "control"),
    "node added": ("nodes", "add", {}, {"state": "in"}, "admin"),
    "order": ("nodes", "order", {"order": ["a"]}, {"order": ["b"]}, "admin"),
    "stage": ("flags", "stage", {"stage": 0}, {"stage": 50}, "flags"),
    "flag made": ("flags", "create", {}, {"variants": {}}, "flags"),
    "freeze": ("flags", "freeze", {}, {"until": ""}, "flags"),
    "what no kind says": ("", "", {}, {}, "control"),
}


@pytest.mark.parametrize("name", TAKES)
def test_an_act_is_taken_back_by_the_scope_that_it_took(
    people: dict[str, User], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kind, action, before, after, needed = TAKES[name]
    entry = audit.record(
        actor(), action, kind=kind, target="x", before=before, after=after, reason=WHY
    )
    reverted: list[Scope] = []

    def revert(*_: object, **__: object) -> None:
        reverted.append(scope)
        raise NotReversible("Enough.")

    monkeypatch.setattr(controls, "revert", revert)
    for scope in Scope:
        _, secret = create_token(people["admin"], "narrow", "admin", scopes=[scope])
        program = Client(headers={"Authorization": f"Bearer {secret}"})
        answer: Any = program.post(
            f"/api/v1/audit/{entry.pk}/revert", {"reason": WHY}, content_type="application/json"
        )
        assert answer.status_code == (409 if scope == needed else 403), scope
    assert reverted == [needed]


def test_a_token_for_flags_alone_takes_its_own_act_back_and_one_for_controls_does_not(
    people: dict[str, User],
) -> None:
    flag()
    by = {}
    for scope in ("control", "flags"):
        _, secret = create_token(people["operator"], scope, "operator", scopes=[scope])
        by[scope] = Client(headers={"Authorization": f"Bearer {secret}"})
    given = {"stage": 50, "reason": WHY}
    stage = "/api/v1/flags/checkout.codec/stage"
    assert by["flags"].post(stage, given, content_type="application/json").status_code == 200
    revert = f"/api/v1/audit/{newest().pk}/revert"
    answers = {
        scope: by[scope].post(revert, {"reason": WHY}, content_type="application/json")
        for scope in ("control", "flags")
    }
    assert "needs the scope flags" in answers["control"].json()["detail"]
    assert answers["flags"].status_code == 200
    assert Flag.objects.get(pk="checkout.codec").stage == 0


def test_what_does_not_stand_in_the_trail_opens_nothing(people: dict[str, User]) -> None:
    _, secret = create_token(people["admin"], "narrow", "admin", scopes=["runs"])
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    said = program.post("/api/v1/audit/1/revert").json()["detail"]
    assert said.startswith("This needs the scope control or flags or admin;")


def test_a_scope_lends_no_role(people: dict[str, User]) -> None:
    _, secret = create_token(people["viewer"], "low", "viewer", scopes=["read"])
    program = Client(headers={"X-API-Key": secret})
    said = program.post("/api/v1/runs").json()["detail"]
    assert "needs the role operator" in said


def test_a_session_has_every_scope(clients: dict[str, Client]) -> None:
    assert clients["viewer"].get("/api/v1/audit").status_code == 200
    assert clients["admin"].post("/api/v1/nodes").status_code not in {401, 403}


def test_what_changes_something_at_an_address_nobody_sorted_takes_admin() -> None:
    assert scope_of("POST", "/api/v1/brand-new", Role.OPERATOR) is Scope.ADMIN
    assert scope_of("PUT", "/api/v1/flags/x", Role.ADMIN) is Scope.FLAGS


def test_the_document_names_the_scope_of_every_operation() -> None:
    document = openapi_document(api)
    said = {
        (method.upper(), address): operation["x-scope"]
        for address, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert said["GET", "/api/v1/runs"] == "read"
    assert said["POST", "/api/v1/runs"] == "runs"
    assert said["POST", "/api/v1/caches/purge"] == "control"
    assert said["POST", "/api/v1/nodes"] == "admin"
    assert said["POST", "/api/v1/audit/{entry_id}/revert"] == "control or flags or admin"
    assert {s for (method, _), s in said.items() if method == "GET"} == {"read"}
