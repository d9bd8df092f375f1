"""Looking something up in the audit trail: by who, what, when, and by words."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from console.access.models import SAID, AuditEntry
from validation import words

COUNTED = 10_000
_OFFERED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What an entry is to be; empty: anything. `who`, `target` and `text` are words or their
    beginnings: of names, and of reasons, names, sources and trace ids. `since` and `until` belong
    to the span.
    """

    who: str = ""
    kind: str = ""
    target: str = ""
    action: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        return self == Sought()


def search(sought: Sought) -> QuerySet[AuditEntry]:
    """The newest first."""
    wanted = Q()
    if sought.who:
        wanted &= words.found(sought.who, "actor")
    if sought.kind:
        wanted &= Q(kind=sought.kind)
    if sought.target:
        wanted &= words.found(sought.target, "target")
    if sought.action:
        wanted &= Q(action=sought.action)
    if sought.since:
        wanted &= Q(at__gte=sought.since)
    if sought.until:
        wanted &= Q(at__lte=sought.until)
    if sought.text:
        wanted &= words.found(sought.text, *SAID)
    by_words = sought.who or sought.target or sought.text
    order = words.apart("id").desc() if by_words else "-id"
    return AuditEntry.objects.filter(wanted).order_by(order)


def with_standing(found: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """Each with `is_newest`: no later act had the same target, whatever the search left out."""
    later = AuditEntry.objects.filter(
        kind=OuterRef("kind"), target=OuterRef("target"), pk__gt=OuterRef("pk")
    )
    return found.annotate(is_newest=~Exists(later))


def names() -> tuple[list[str], list[str]]:
    """The kinds and the actions of the newest acts: what a search is offered."""
    newest = AuditEntry.objects.order_by("-id").values_list("kind", "action")[:_OFFERED]
    pairs = set(newest)
    return sorted({kind for kind, _ in pairs}), sorted({action for _, action in pairs})


def count(found: QuerySet[AuditEntry]) -> tuple[int, bool]:
    """(how many, whether there are more): up to a bound, since a page that is looked at all the
    time must not read all of the trail.
    """
    number = found.order_by()[: COUNTED + 1].count()
    return min(number, COUNTED), number > COUNTED
