"""What operators changed, in words: who, why, from what to what, and what can be taken back."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from console import retention, sse
from console.access import granting
from console.access.models import AuditEntry
from console.controls import Order, is_reversible, names, places
from console.experiments import models as experiments
from console.experiments.telling import act_words as experiment_words
from console.flags import telling
from console.flags.models import Flag
from console.pages import alert_history, states
from console.rehearsals import models as rehearsals
from console.rehearsals.telling import act_words as drill_words
from console.roadmap import edits
from console.rollouts import models as rollouts
from console.rollouts.telling import act_words as rollout_words
from monitoring.models import Alert
from validation.models import ControlKind

SHOWN = 20
_NODES = {"in_service": "in service", "cordoned": "cordoned"}
# What has the page of its flag.
_OF_FLAGS = frozenset({ControlKind.FLAGS.value, rehearsals.KIND, rollouts.KIND})
# Of a flag: they leave it as it stands, so what was done before them can be taken back still.
_BESIDE = frozenset({"freeze", "thaw"})
_DONE = {"reset": "started afresh", "purge": "purged", "drop": "dropped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act. `before` and `after` are empty for one that is done once. `href`: the page of what
    was changed; of what has none (any more), the list.
    """

    row: AuditEntry
    before: str
    after: str
    reversible: bool
    href: str

    @property
    def done(self) -> str:
        return _DONE.get(self.row.action, "")

    @property
    def what(self) -> str:
        if self.row.kind == ControlKind.L1:
            return "L1"
        if self.row.kind == ControlKind.NODES:
            return self.row.target or "the order of the nodes"
        if self.row.kind == ControlKind.FLAGS:
            return self.row.target or "all flags"
        return self.row.target


def of(kind: str, target: str) -> list[Entry]:
    return entries(AuditEntry.objects.filter(kind=kind, target=target)[:SHOWN])


def of_kinds(kinds: Iterable[str]) -> list[Entry]:
    return entries(AuditEntry.objects.filter(kind__in=list(kinds))[:SHOWN])


def recent(number: int) -> list[Entry]:
    return entries(AuditEntry.objects.all()[:number])


def searched(rows: Iterable[AuditEntry]) -> list[Entry]:
    """Of `trail.with_standing`: each row knows whether something followed it."""
    rows = list(rows)
    there = _there(rows)
    return [_entry(row, newest=row.is_newest, there=there) for row in rows]  # type: ignore[attr-defined]


def entries(rows: Iterable[AuditEntry]) -> list[Entry]:
    """Newest first. Only the newest change of a target can be taken back: it is what holds."""
    rows = list(rows)
    there = _there(rows)
    seen: set[tuple[str, str]] = set()
    found = []
    for row in rows:
        found.append(_entry(row, newest=(row.kind, row.target) not in seen, there=there))
        if row.kind != ControlKind.FLAGS or row.action not in _BESIDE:
            seen.add((row.kind, row.target))
    return found


def entry_of(row: AuditEntry, *, newest: bool) -> Entry:
    """One alone, wherever it stands."""
    return replace(entries([row])[0], reversible=newest and is_reversible(row))


def _entry(row: AuditEntry, *, newest: bool, there: Container[str]) -> Entry:
    before, after = ("", "") if row.action in _DONE else _both(row)
    return Entry(
        row=row,
        before=before,
        after=after,
        reversible=newest and is_reversible(row),
        href=_page(row, there),
    )


def _both(row: AuditEntry) -> tuple[str, str]:
    if row.kind == ControlKind.FLAGS:
        return telling.both(row)
    if row.kind == alert_history.KIND:
        return alert_history.both(row)
    if row.kind in _GRANTED:
        said = _GRANTED[row.kind]
        return said(row.before), said(row.after)
    said = node_words if row.kind == ControlKind.NODES else words
    return said(row.before), said(row.after)


def _there(rows: Iterable[AuditEntry]) -> set[str]:
    """The nodes, flags and alerts among the targets that have a page."""
    rows = list(rows)
    found = set[str]()
    if any(row.kind == ControlKind.NODES for row in rows):
        found |= {place.label for place in places()}
    if keys := {row.target for row in rows if row.kind in _OF_FLAGS}:
        found |= set(Flag.objects.filter(pk__in=keys).values_list("key", flat=True))
    if alerts := [row for row in rows if row.action == alert_history.ACKNOWLEDGE]:
        numbers = {number for row in alerts if (number := alert_history.number_of(row))}
        kept = Alert.objects.filter(pk__in=numbers).values_list("pk", flat=True)
        found |= {f"alert {number}" for number in kept}
    return found


def _page(row: AuditEntry, there: Container[str]) -> str:
    if row.kind == ControlKind.BREAKER:
        has_page = sse.NAME.fullmatch(row.target)
        return reverse("breaker", args=[row.target]) if has_page else reverse("breakers")
    if row.kind == ControlKind.NODES:
        name = names.in_address(row.target)
        return reverse("node", args=[name]) if row.target in there else reverse("nodes")
    if row.kind in _OF_FLAGS:
        is_there = row.target in there
        return reverse("flag", args=[row.target]) if is_there else reverse("flags")
    if row.kind == alert_history.KIND:
        number = alert_history.number_of(row)
        is_one = row.action == alert_history.ACKNOWLEDGE and f"alert {number}" in there
        return reverse("alert", args=[number]) if is_one else reverse("alerts")
    if row.kind in {granting.USER, retention.KIND, edits.KIND}:
        return f"{reverse('audit')}?{urlencode({'kind': row.kind, 'target': row.target})}"
    return reverse("tokens" if row.kind == granting.TOKEN else "caches")


def words(layers: Mapping[str, Any]) -> str:
    """`forced open until 14:20:05; failure_rate 0.3 until 14:20:05; min_calls 20 lasting`."""
    said = []
    if mode := layers.get("mode"):
        said.append(f"{states.of_breaker(mode).word.lower()}{_until(layers.get('expires_at'))}")
    if settings := layers.get("settings"):
        said.append(f"{_settings(settings)}{_until(layers.get('tuned_until'))}")
    if lasting := layers.get("lasting"):
        said.append(f"{_settings(lasting)} lasting")
    return "; ".join(said) or "auto"


def node_words(told: Mapping[str, Any]) -> str:
    """`in service`, `cordoned`, `not there`; of the order, all in it."""
    if "order" in told:
        return ", ".join(told["order"])
    return _NODES.get(told.get("state", ""), "not there")


def token_words(told: Mapping[str, Any]) -> str:
    """`active, as operator of ada for read, runs, until 2026-11-21`."""
    if not told:
        return "not there"
    until = f", until {told['expires_at'][:10]}" if told["expires_at"] else ""
    scopes = ", ".join(told["scopes"])
    return f"{told['state']}, as {told['role']} of {told['acts_for']} for {scopes}{until}"


def account_words(told: Mapping[str, Any]) -> str:
    """`operator`, `admin, closed`, `no role`."""
    if not told:
        return "not there"
    return f"{', '.join(told['roles']) or 'no role'}{'' if told['active'] else ', closed'}"


_GRANTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    granting.TOKEN: token_words,
    granting.USER: account_words,
    edits.KIND: edits.in_words,
    experiments.KIND: experiment_words,
    rehearsals.KIND: drill_words,
    rollouts.KIND: rollout_words,
}


def wanted_words(wanted: Order) -> str:
    """What is wanted now, in the words of an entry."""
    return words(
        {
            "mode": wanted.mode,
            "expires_at": wanted.expires_at and wanted.expires_at.isoformat(),
            "settings": wanted.tuned,
            "tuned_until": wanted.tuned_until and wanted.tuned_until.isoformat(),
            "lasting": wanted.lasting,
        }
    )


def _settings(settings: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.12g}" for name, value in settings.items())


def _until(moment: str | None) -> str:
    return f" until {datetime.fromisoformat(moment):%H:%M:%S}" if moment else ""
