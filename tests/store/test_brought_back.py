"""What a test committed is gone behind it, and what it took away is there again."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from console.access.models import AuditCheck
from console.flags.models import Flag
from tests import flushing

pytestmark = pytest.mark.django_db(transaction=True)


def test_tables_are_as_the_migrations_left_them() -> None:
    before = _standing()
    assert before[0]
    assert before[1] == ["admin", "operator", "viewer"]
    User.objects.create_user("left-behind").groups.add(Group.objects.get(name="viewer"))
    Group.objects.get(name="operator").delete()
    Flag.objects.filter(key=before[0][0][0]).update(title="Another")
    Flag.objects.filter(key=before[0][1][0]).delete()
    AuditCheck.objects.all().delete()
    assert _standing() != before
    flushing.bring_back()
    assert _standing() == before


def test_what_nobody_wrote_to_is_not_written_to() -> None:
    newest = _newest_flag()
    User.objects.create_user("left-behind")
    flushing.bring_back()
    assert _newest_flag() == newest


def _standing() -> tuple[list[tuple[str, str]], list[str], int, int]:
    flags = list(Flag.objects.order_by("key").values_list("key", "title"))
    groups = list(Group.objects.order_by("name").values_list("name", flat=True))
    return flags, groups, User.objects.count(), AuditCheck.objects.count()


def _newest_flag() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(xmin::text::bigint) FROM flags_flag")
        (found,) = cursor.fetchone()
    return int(found)
