"""Each act is one row, one revision and one audit entry; what is refused leaves nothing."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from console import controls
from console.access import audit
from console.access.models import AuditEntry
from console.controls import (
    ControlError,
    Refused,
    RoleTooLow,
    UnknownBreaker,
    bounds,
)
from monitoring import events, snapshots, valkey
from tests.controls.conftest import L2, WHY, actor, report, worker
from validation.cache.freshness import LATEST
from validation.cache.keys import KINDS
from validation.cache.tags import ALL
from validation.models import Control, ControlRevision

pytestmark = pytest.mark.django_db


def force_open(role: str = "operator", **changed: Any) -> controls.Order:
    options: dict[str, Any] = {"reason": WHY, "for_s": 900, "confirm": L2} | changed
    return controls.override_breaker(actor(role), L2, "forced_open", **options)


def untouched() -> bool:
    return not Control.objects.exists() and not AuditEntry.objects.exists()


def test_a_forced_breaker_is_wanted_open_until_its_end() -> None:
    order = force_open()
    assert (order.mode, order.revision, order.actor) == ("forced_open", 1, "ada")
    assert order.for_s == pytest.approx(900, abs=1)
    assert controls.desired("breaker", L2).mode == "forced_open"
    [entry] = AuditEntry.objects.all()
    assert (entry.actor, entry.role, entry.origin) == ("ada", "operator", "page")
    assert (entry.action, entry.kind, entry.target) == ("forced_open", "breaker", L2)
    assert (entry.before["mode"], entry.after["mode"]) == ("", "forced_open")
    assert (entry.reason, entry.revision) == (WHY, 1)


def test_what_has_ended_is_wanted_no_more() -> None:
    force_open()
    Control.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    order = controls.desired("breaker", L2)
    assert (order.mode, order.for_s, order.is_auto) == ("", None, True)
    assert order.revision == 1


@pytest.mark.parametrize(
    ("act", "action"),
    [
        (force_open, "forced_open"),
        (lambda: controls.override_breaker(actor(), L2, "disabled", reason=WHY), "disabled"),
        (lambda: controls.release_breaker(actor(), L2, reason=WHY), "auto"),
        (lambda: controls.reset_breaker(actor(), L2, reason=WHY), "reset"),
        (lambda: controls.tune_breaker(actor(), L2, {"open_s": 9}, reason=WHY), "tune"),
        (lambda: controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY), "resize"),
        (lambda: controls.purge(actor(), "head", reason=WHY, confirm="head"), "purge"),
    ],
)
def test_each_act_is_one_row_and_one_entry(act: Callable[[], object], action: str) -> None:
    act()
    assert Control.objects.get().revision == 1
    assert [entry.action for entry in AuditEntry.objects.all()] == [action]


def test_a_breaker_has_one_row_and_each_change_the_next_revision() -> None:
    for n in range(1, 4):
        assert controls.reset_breaker(actor(), L2, reason=WHY).revision == n
    row = Control.objects.get()
    assert (row.revision, row.reset_revision) == (3, 3)
    assert ControlRevision.objects.get().value == 3


def test_each_purge_is_a_row_of_its_own_until_nothing_can_be_that_old() -> None:
    for tag in ("head", "head", "block:0x" + "ab" * 32):
        controls.purge(actor(), tag, reason=WHY, confirm=tag)
    assert Control.objects.count() == 3
    Control.objects.update(changed_at=timezone.now() - timedelta(days=3))
    controls.purge(
        actor(), "node:10.0.0.7:8545#ab12cd", reason=WHY, confirm="node:10.0.0.7:8545#ab12cd"
    )
    assert Control.objects.count() == 1
    assert AuditEntry.objects.count() == 4


def test_the_tags_that_are_taken_are_those_of_the_cache() -> None:
    assert set(bounds.TAGS) == {ALL, LATEST} | {kind.name for kind in KINDS}


# What is forced, what is tuned and what lasts do not touch each other.


def test_forcing_neither_prolongs_nor_drops_what_was_tuned() -> None:
    controls.tune_breaker(actor("admin"), L2, {"open_s": 9}, reason=WHY, for_s=None)
    controls.tune_breaker(actor(), L2, {"failure_rate": 0.2}, reason=WHY, for_s=60)
    order = force_open(for_s=3600)
    assert order.settings == {"open_s": 9, "failure_rate": 0.2}
    assert order.tuned_for_s == pytest.approx(60, abs=5)
    assert order.for_s == pytest.approx(3600, abs=5)


def test_auto_ends_what_is_temporary_and_keeps_what_lasts() -> None:
    controls.tune_breaker(actor("admin"), L2, {"open_s": 9}, reason=WHY, for_s=None)
    controls.tune_breaker(actor(), L2, {"open_s": 3}, reason=WHY)
    force_open()
    order = controls.release_breaker(actor(), L2, reason=WHY)
    assert (order.mode, order.settings, order.lasting) == ("", {"open_s": 9}, {"open_s": 9})


def test_what_is_tuned_lies_over_what_lasts_and_nothing_ends_it() -> None:
    controls.tune_breaker(actor("admin"), L2, {"open_s": 9, "min_calls": 7}, reason=WHY, for_s=None)
    assert controls.tune_breaker(actor(), L2, {"open_s": 3}, reason=WHY).settings == {
        "open_s": 3,
        "min_calls": 7,
    }
    order = controls.tune_breaker(actor(), L2, {}, reason=WHY)
    assert (order.settings, order.tuned_for_s) == ({"open_s": 9, "min_calls": 7}, None)


def test_an_idle_reset_leaves_what_is_forced() -> None:
    force_open()
    order = controls.reset_breaker(actor(), L2, reason=WHY)
    assert (order.mode, order.reset_revision) == ("forced_open", 2)


# What is refused.


@pytest.mark.parametrize("for_s", [0, -1, 4.9, 86_401, math.nan, math.inf, True, "900", None])
def test_a_forced_state_must_end_within_a_day(for_s: Any) -> None:
    with pytest.raises(Refused, match="for_s") as refused:
        force_open(for_s=for_s)
    assert refused.value.field == "for_s"
    assert untouched()


@pytest.mark.parametrize(
    "reason", ["", "too short", "  padded  \n ", "x" * 501, "a\0b" * 10, "\ud800" * 12]
)
def test_a_reason_is_a_sentence(reason: str) -> None:
    with pytest.raises(Refused, match="reason"):
        force_open(reason=reason)
    assert untouched()


def test_a_reason_over_lines_is_kept_on_one() -> None:
    assert force_open(reason="The node\n  answers nonsense").reason == "The node answers nonsense"


@pytest.mark.parametrize("confirm", ["", "L2", "l2 "])
def test_forcing_open_and_purging_ask_for_the_name(confirm: str) -> None:
    with pytest.raises(Refused, match="confirm"):
        force_open(confirm=confirm)
    with pytest.raises(Refused, match="confirm"):
        controls.purge(actor(), "head", reason=WHY, confirm=confirm)
    assert untouched()


@pytest.mark.parametrize(
    "name", ["", "l3", "node:127.0.0.1:9", "L2", "l2\0", "x" * 1_000, "\ud800", "node:a#b:lookup"]
)
def test_a_breaker_that_is_not_there_is_not_wanted_in_vain(name: str) -> None:
    with pytest.raises(UnknownBreaker, match="did you mean"):
        controls.reset_breaker(actor(), name, reason=WHY)
    assert untouched()


def test_a_breaker_that_only_a_worker_knows_can_be_forced(publish: Callable[..., None]) -> None:
    other = "node:other:8545~1a2b3c:block"
    publish(worker(breakers=(report(other),)))
    assert controls.reset_breaker(actor(), other, reason=WHY).name == other
    snapshots.retire("host:1")
    assert controls.reset_breaker(actor(), other, reason=WHY).revision == 2


@pytest.mark.parametrize("mode", ["", "open", "closed", "auto", "FORCED_OPEN"])
def test_a_mode_is_one_of_four(mode: str) -> None:
    with pytest.raises(Refused, match="mode"):
        controls.override_breaker(actor(), L2, mode, reason=WHY)
    assert untouched()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"no_such": 1}, "settings: 'no_such' is not one of failure_rate"),
        ({"failure_rate": 1.5}, "settings.failure_rate: 1.5 is not a number from 0.01 to 1."),
        ({"failure_rate": math.nan}, "settings.failure_rate"),
        ({"min_calls": 2.5}, "settings.min_calls: 2.5 is not a whole number"),
        ({"open_s": True}, "settings.open_s: True is not"),
        ({"open_s": "5"}, "settings.open_s: '5' is not"),
        ({"open_s": 5, "slow_s": None}, "settings.slow_s: None is not"),
    ],
)
def test_thresholds_keep_their_bounds(settings: dict[str, object], says: str) -> None:
    with pytest.raises(Refused) as refused:
        controls.tune_breaker(actor(), L2, settings, reason=WHY)
    assert says in str(refused.value)
    assert untouched()


@pytest.mark.parametrize(
    "settings", [{"max_entries": 1}, {"max_bytes": 10**15}, {"max_entries": 99.5}, {"ttl": 5}]
)
def test_sizes_keep_their_bounds(settings: dict[str, object]) -> None:
    with pytest.raises(Refused):
        controls.resize_l1(actor(), settings, reason=WHY)
    assert untouched()


@pytest.mark.parametrize(
    "tag", ["", "*", "blok", "block:0x12", "block:0x" + "AB" * 32, "tx:\n", "a" * 200]
)
def test_a_tag_that_nothing_carries_is_not_purged_in_vain(tag: str) -> None:
    with pytest.raises(Refused, match="tag"):
        controls.purge(actor(), tag, reason=WHY, confirm=tag)
    assert untouched()


# Who may.

ACTS: dict[str, Callable[[audit.Actor], object]] = {
    "force": lambda who: controls.override_breaker(who, L2, "forced_closed", reason=WHY),
    "auto": lambda who: controls.release_breaker(who, L2, reason=WHY),
    "reset": lambda who: controls.reset_breaker(who, L2, reason=WHY),
    "tune": lambda who: controls.tune_breaker(who, L2, {"open_s": 9}, reason=WHY, for_s=60),
    "resize": lambda who: controls.resize_l1(who, {"max_entries": 99}, reason=WHY, for_s=60),
    "purge": lambda who: controls.purge(who, "all", reason=WHY, confirm="all"),
}
LASTING: dict[str, Callable[[audit.Actor], object]] = {
    "tune": lambda who: controls.tune_breaker(who, L2, {"open_s": 9}, reason=WHY, for_s=None),
    "resize": lambda who: controls.resize_l1(who, {"max_entries": 99}, reason=WHY, for_s=None),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_viewer_changes_nothing_and_an_operator_may(act: str) -> None:
    with pytest.raises(RoleTooLow, match="needs the role operator; ada is viewer"):
        ACTS[act](actor("viewer"))
    assert untouched()
    ACTS[act](actor("operator"))
    assert AuditEntry.objects.get().role == "operator"


@pytest.mark.parametrize("act", LASTING)
def test_what_lasts_is_for_admins(act: str) -> None:
    with pytest.raises(RoleTooLow, match="needs the role admin; ada is operator"):
        LASTING[act](actor("operator"))
    assert untouched()
    LASTING[act](actor("admin"))
    row = Control.objects.get()
    assert (row.expires_at, row.tuned_until, row.settings) == (None, None, {})
    assert row.lasting


# Both or neither.


def test_no_change_without_its_audit_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    force_open()

    def full(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(AuditEntry.objects, "create", full)
    with pytest.raises(DatabaseError):
        controls.release_breaker(actor(), L2, reason=WHY)
    assert controls.desired("breaker", L2).mode == "forced_open"
    assert ControlRevision.objects.get().value == 1


def test_workers_are_nudged_once_it_is_written(django_capture_on_commit_callbacks: Any) -> None:
    follower = events.follow(lambda: False)
    next(follower)
    with django_capture_on_commit_callbacks() as committed:
        force_open()
    assert valkey.client().xlen(events.STREAM) == 0
    for tell in committed:
        tell()
    assert next(follower) == {"audit", "controls", "overview", "breakers", f"breaker:{L2}"}
    follower.close()


def test_nobody_is_nudged_of_what_was_refused(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as committed, pytest.raises(ControlError):
        force_open(reason="short")
    assert committed == []


@pytest.mark.django_db(transaction=True)
def test_a_cache_server_that_is_down_loses_nothing(no_valkey: None) -> None:
    force_open()
    controls.purge(actor(), "all", reason=WHY, confirm="all")
    assert controls.desired("breaker", L2).mode == "forced_open"
    assert [row.revision for row in Control.objects.order_by("revision")] == [1, 2]
    assert AuditEntry.objects.count() == 2


def test_what_is_to_last_is_not_hidden_by_what_was_tuned_for_a_time() -> None:
    controls.tune_breaker(actor(), L2, {"open_s": 3, "min_calls": 5}, reason=WHY, for_s=600)
    order = controls.tune_breaker(actor("admin"), L2, {"open_s": 9}, reason=WHY, for_s=None)
    assert (order.tuned, order.lasting) == ({"min_calls": 5}, {"open_s": 9})
    assert order.settings == {"open_s": 9, "min_calls": 5}
    order = controls.tune_breaker(actor("admin"), L2, {"min_calls": 7}, reason=WHY, for_s=None)
    assert (order.tuned, order.tuned_until, order.lasting) == ({}, None, {"min_calls": 7})
