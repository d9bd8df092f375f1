"""Django's admin shows and changes nothing, whatever is registered there."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest
from django.test import Client, RequestFactory

from console.admin import ReadOnly

OURS = ("access", "flags", "roadmap")


@pytest.fixture
def root_request(db: None) -> HttpRequest:
    """A superuser's: Django itself would let it do anything."""
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_superuser("root", password="x")
    return request


def test_every_model_there_is_read_only(root_request: HttpRequest) -> None:
    registered = dict(admin.site._registry)
    assert len(registered) > 8
    for model, options in registered.items():
        assert isinstance(options, ReadOnly), model
        assert options.has_view_permission(root_request), model
        may = (options.has_add_permission, options.has_change_permission,
               options.has_delete_permission)  # fmt: skip
        assert not any(ask(root_request) for ask in may), model
        assert not options.get_actions(root_request), model


def test_what_operators_change_can_be_looked_up(clients: dict[str, Client]) -> None:
    unseen = {"access.signinattempts"}
    wanted = {m for m in apps.get_models() if m._meta.app_label in OURS}
    names = {m._meta.label_lower for m in wanted} - unseen
    assert names <= {m._meta.label_lower for m in admin.site._registry}
    for model in wanted:
        if model._meta.label_lower in unseen:
            continue
        page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert clients["admin"].get(page).status_code == 200, page
        assert clients["admin"].get(f"{page}add/").status_code == 403, page
        assert clients["operator"].get(page).status_code == 302, page


def test_no_secret_has_a_column() -> None:
    shown: dict[str, set[str]] = {}
    for model, options in admin.site._registry.items():
        hidden = set(options.exclude or ())
        fields = {f.name for f in model._meta.get_fields() if isinstance(f, models.Field)}
        shown[model._meta.label_lower] = fields - hidden
    assert "digest" not in shown["access.apitoken"]
    assert "password" not in shown["auth.user"]
    assert "node_urls" not in shown["validation.run"]
