"""Flags as an admin makes them, people of each role, and what the trail says of the last act."""

from typing import Any

from django.contrib.auth.models import Group, User

from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.roles import Role
from console.flags import definition_acts
from console.flags.models import Flag

WHY = "The node answers with stale blocks"
VARIANTS = {"old": "old", "new": "new", "newer": "newer"}


def actor(role: str = "operator", name: str = "ada") -> Actor:
    return Actor(name=name, role=Role(role), origin="page")


def flag(key: str = "checkout.codec", **fields: Any) -> Flag:
    """Its baseline, "old", on all; rolled out by processes."""
    given = {"variants": VARIANTS, "baseline": "old", "unit": "process", "fleet": "worker"}
    return definition_acts.create(actor("admin"), key, given | fields, reason=WHY)


def person(name: str = "ada", role: str = "operator") -> User:
    """Who may act by that name now."""
    found, _ = User.objects.get_or_create(username=name)
    found.groups.add(Group.objects.get_or_create(name=role)[0])
    return found


def newest() -> AuditEntry:
    entry = AuditEntry.objects.order_by("-id").first()
    assert entry is not None
    return entry
