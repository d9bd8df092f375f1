"""Taking an act back is an act of its own, for who might have done it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from console import controls
from console.access.models import AuditEntry
from console.controls import Conflict, NotReversible, Refused, RoleTooLow
from tests.controls.conftest import L2, WHY, actor
from validation.models import Control

pytestmark = pytest.mark.django_db


def newest() -> AuditEntry:
    entry = AuditEntry.objects.first()
    assert entry is not None
    return entry


def test_what_was_wanted_before_is_wanted_again() -> None:
    controls.tune_breaker(actor(), L2, {"open_s": 3}, reason=WHY, for_s=600)
    controls.override_breaker(actor(), L2, "disabled", reason=WHY)
    act = newest()
    order = controls.revert(actor(name="bea"), act, reason="It was the wrong breaker")
    assert (order.mode, order.settings, order.revision) == ("", {"open_s": 3}, 3)
    assert order.tuned_for_s == pytest.approx(600, abs=5)
    entry = newest()
    assert (entry.action, entry.actor, entry.reverts) == ("revert", "bea", act)
    assert (entry.before, entry.after) == (act.after, act.before)
    assert AuditEntry.objects.count() == 3


def test_taking_back_can_be_taken_back() -> None:
    controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY)
    controls.revert(actor(), newest(), reason=WHY)
    assert controls.desired("l1", "").settings == {}
    controls.revert(actor(), newest(), reason=WHY)
    assert controls.desired("l1", "").settings == {"max_entries": 500}


def test_what_has_ended_meanwhile_stays_ended() -> None:
    controls.override_breaker(actor(), L2, "disabled", reason=WHY)
    controls.release_breaker(actor(), L2, reason=WHY)
    entry = newest()
    # Only here: what was written stays as it is.
    entry.before["expires_at"] = (timezone.now() - timedelta(seconds=1)).isoformat()
    order = controls.revert(actor(), entry, reason=WHY)
    assert (order.mode, order.expires_at) == ("", None)


def test_what_was_changed_again_since_is_left_alone() -> None:
    controls.override_breaker(actor(), L2, "disabled", reason=WHY)
    act = newest()
    controls.tune_breaker(actor(), L2, {"open_s": 3}, reason=WHY)
    with pytest.raises(Conflict):
        controls.revert(actor(), act, reason=WHY)
    assert controls.desired("breaker", L2).mode == "disabled"


@pytest.mark.parametrize("done", ["reset", "purge"])
def test_what_is_done_once_cannot_be_taken_back(done: str) -> None:
    if done == "reset":
        controls.reset_breaker(actor(), L2, reason=WHY)
    else:
        controls.purge(actor(), "all", reason=WHY, confirm="all")
    assert not controls.is_reversible(newest())
    with pytest.raises(NotReversible):
        controls.revert(actor(), newest(), reason=WHY)
    assert AuditEntry.objects.count() == 1


def test_who_could_not_have_done_it_cannot_take_it_back() -> None:
    controls.tune_breaker(actor("admin"), L2, {"open_s": 9}, reason=WHY, for_s=None)
    with pytest.raises(RoleTooLow):
        controls.revert(actor("viewer"), newest(), reason=WHY)
    with pytest.raises(RoleTooLow, match="lasting"):
        controls.revert(actor("operator"), newest(), reason=WHY)
    assert Control.objects.get().lasting == {"open_s": 9}
    assert controls.revert(actor("admin"), newest(), reason=WHY).lasting == {}


def test_forcing_open_again_asks_for_the_name_again() -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, confirm=L2)
    controls.release_breaker(actor(), L2, reason=WHY)
    with pytest.raises(Refused, match="confirm"):
        controls.revert(actor(), newest(), reason=WHY)
    assert controls.revert(actor(), newest(), reason=WHY, confirm=L2).mode == "forced_open"


def test_a_reason_is_asked_for_here_too() -> None:
    controls.override_breaker(actor(), L2, "disabled", reason=WHY)
    with pytest.raises(Refused, match="reason"):
        controls.revert(actor(), newest(), reason="oops")
