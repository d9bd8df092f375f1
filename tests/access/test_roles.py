import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from console.access.roles import Role, requires, role_of


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


def asked_by(user: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


@pytest.mark.parametrize("name", list(Role))
def test_a_group_gives_the_role_of_its_name(people: dict[str, User], name: Role) -> None:
    assert role_of(people[name]) is name


def test_the_highest_group_counts(people: dict[str, User]) -> None:
    people["viewer"].groups.add(Group.objects.get(name="admin"))
    assert role_of(User.objects.get(username="viewer")) is Role.ADMIN


@pytest.mark.django_db
def test_somebody_without_a_group_views() -> None:
    assert role_of(User.objects.create_user("new")) is Role.VIEWER


@pytest.mark.django_db
def test_a_superuser_is_an_admin() -> None:
    assert role_of(User.objects.create_superuser("root")) is Role.ADMIN


def test_nobody_and_the_dismissed_have_no_role(people: dict[str, User]) -> None:
    people["admin"].is_active = False
    assert role_of(AnonymousUser()) is None
    assert role_of(people["admin"]) is None


def test_the_database_is_asked_once_a_request(
    people: dict[str, User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert role_of(people["viewer"]) is role_of(people["viewer"])


@pytest.mark.parametrize(
    ("needed", "has", "allowed"),
    [
        ("viewer", "viewer", True),
        ("operator", "viewer", False),
        ("operator", "operator", True),
        ("operator", "admin", True),
        ("admin", "operator", False),
    ],
)
def test_a_view_answers_only_roles_that_cover_its_own(
    people: dict[str, User], needed: str, has: str, allowed: bool
) -> None:
    guarded = requires(needed)(view)
    if allowed:
        assert guarded(asked_by(people[has])).status_code == 200
    else:
        with pytest.raises(PermissionDenied, match=f"needs the role {needed}; you are {has}"):
            guarded(asked_by(people[has]))


def test_a_misspelt_role_is_found_at_import() -> None:
    with pytest.raises(ValueError, match="boss"):
        requires("boss")
