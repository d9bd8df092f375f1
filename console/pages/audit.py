"""The audit trail: who did what, when, from where and why; whether its chain is whole."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import trail, watch
from console.access.audit import TOPIC
from console.access.models import AuditCheck, AuditEntry
from console.access.trail import Sought
from console.exports import PAGE as EXPORT_PAGE
from console.exports import TABLE_FORMS, stream_table
from console.http import render_page
from console.pages import history
from console.pages.ribbon import RANGES
from console.pages.states import State

TEMPLATE = "console/audit.html"
REGIONS = ("chain", "pulse")
PAGE = 50
# Beat checks twice a minute; what was not checked for this long is not known to be whole.
CHECKED_S = 120.0
COLUMNS = (
    *("id", "position", "at", "actor", "role", "origin", "token", "source", "trace_id"),
    *("action", "kind", "target", "before", "after", "reason", "revision", "reverts"),
    *("previous_hash", "hash"),
)
_WORDS = ("who", "kind", "target", "action", "q")
_LONGEST = 160
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the address asks for, as it was typed. Anything that it cannot mean is left out."""

    words: dict[str, str]
    span: str
    since: str
    until: str
    before: int | None

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        words = {name: query.get(name, "").replace("\x00", "").strip() for name in _WORDS}
        span, before = query.get("range", ""), query.get("before", "")
        since, until = query.get("from", ""), query.get("to", "")
        is_number = before.isascii() and before.isdigit() and len(before) <= _MOST_DIGITS
        return cls(
            words={name: text[:_LONGEST] for name, text in words.items()},
            span=span if span in RANGES else "",
            since=since if moment(since) else "",
            until=until if moment(until) else "",
            before=int(before) if is_number else None,
        )

    @property
    def narrows(self) -> bool:
        return any(self.words.values()) or bool(self.span or self.since or self.until)

    @property
    def picks(self) -> bool:
        """Whether it narrows by more than words and a range."""
        only = ("who", "kind", "target", "action")
        return any(self.words[name] for name in only) or bool(self.since or self.until)

    def sought(self, now: datetime) -> Sought:
        """A range counts from now; `from` and `to` go before it."""
        since = now - timedelta(seconds=RANGES[self.span]) if self.span else None
        return Sought(
            who=self.words["who"],
            kind=self.words["kind"],
            target=self.words["target"],
            action=self.words["action"],
            text=self.words["q"],
            since=moment(self.since) or since,
            until=moment(self.until, is_end=True),
        )

    def link(self, **changes: str) -> str:
        """The address with `changes`; from the first page unless they name another."""
        own = {**self.words, "range": self.span, "from": self.since, "to": self.until}
        query = QueryDict(mutable=True)
        query.update({name: value for name, value in (own | changes).items() if value})
        return f"?{query.urlencode()}"


def moment(text: str, *, is_end: bool = False) -> datetime | None:
    """A day, or a day and a time, of UTC unless it says otherwise. The end of a day is its last
    moment, that of a minute too.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        if not is_end:
            return found
        whole = {10: timedelta(days=1), 16: timedelta(minutes=1)}.get(len(text.strip()))
        return found + whole - timedelta(microseconds=1) if whole else found
    except (ValueError, OverflowError):
        return None


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    wish = Wish.of(request.GET)
    found = trail.search(wish.sought(timezone.now()))
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        return stream_table("audit", form, COLUMNS, _pages(found, form))
    return render_page(request, TEMPLATE, "list", {**load(wish, found), **standing()})


def load(wish: Wish, found: QuerySet[AuditEntry]) -> dict[str, Any]:
    total, more = trail.count(found)
    kinds, actions = trail.names()
    page = found.filter(pk__lt=wish.before) if wish.before else found
    rows = list(trail.with_standing(page)[: PAGE + 1])
    shown = rows[:PAGE]
    return {
        "section": "audit",
        "topics": TOPIC,
        "wish": wish,
        "entries": history.searched(shown),
        "total": total,
        "more": more,
        "none_yet": not total and not AuditEntry.objects.exists(),
        "kinds": _with(wish.words["kind"], kinds),
        "actions": _with(wish.words["action"], actions),
        "ranges": [("", "All", wish.link(range="", **_UNBOUND))]
        + [(name, name, wish.link(range=name, **_UNBOUND)) for name in RANGES],
        "downloads": [(form.upper(), wish.link(format=form)) for form in sorted(TABLE_FORMS)],
        "newest_page": wish.link() if wish.before else "",
        "older": wish.link(before=str(shown[-1].pk)) if len(rows) > PAGE else "",
    }


_UNBOUND = {"from": "", "to": ""}


def _with(asked: str, offered: list[str]) -> list[str]:
    return offered if not asked or asked in offered else [asked, *offered]


def standing() -> dict[str, Any]:
    """What the live regions show: the chain, and a sign that there is a new row."""
    check = AuditCheck.objects.filter(pk=1, checked_at__isnull=False).first()
    newest = AuditEntry.objects.values_list("position", flat=True).first() or 0
    return {
        "check": check,
        "chain": _chain(check),
        "newest": newest,
        "at_each_check": watch.NEWEST if newest > watch.ROWS else 0,
        "minutes": math.ceil(watch.minutes(newest)),
    }


def _chain(check: AuditCheck | None) -> State:
    if check is None or check.checked_at is None:
        return State(glyph="half", word="Not checked yet", effect="beat does it twice a minute")
    if check.fault:
        return State(glyph="open", word="Broken", effect=check.fault)
    if (timezone.now() - check.checked_at).total_seconds() > CHECKED_S:
        return State(glyph="half", word="Not checked lately", effect="is beat up?")
    return State(glyph="closed", word="Whole", effect="nothing edited, nothing missing")


def _pages(found: QuerySet[AuditEntry], form: str) -> Iterator[list[dict[str, object]]]:
    """By key: what is written meanwhile shifts nothing."""
    last: int | None = None
    found = found.order_by("-id")
    while True:
        page = found if last is None else found.filter(pk__lt=last)
        rows = list(page[:EXPORT_PAGE])
        yield [_flat(row, form) for row in rows]
        if not rows:
            return
        last = rows[-1].pk


def _flat(row: AuditEntry, form: str) -> dict[str, object]:
    own = {name: getattr(row, name) for name in COLUMNS if name not in {"reverts", "at"}}
    if form == "csv":
        own |= {name: json.dumps(own[name], ensure_ascii=False) for name in ("before", "after")}
    # To the microsecond: the hash is computed of it.
    return own | {"reverts": row.reverts_id, "at": row.at.isoformat(timespec="microseconds")}
