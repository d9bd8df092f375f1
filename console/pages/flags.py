"""The feature flags by area: filtered, searched and sorted by the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.flags import clock, freezing, reading
from console.flags.reading import Step
from console.fleetview import Fleet
from console.http import render_page
from console.pages import history
from console.pages.flag_rows import AREAS, Row, row_of
from console.pages.fleet import cells
from validation.models import ControlKind

TEMPLATE = "console/flags.html"
REGIONS = ("freeze", "figures", "list", "history")
COLUMNS = (
    *("key", "title", "area", "state", "words", "stage", "effective_stage", "next_stage"),
    *("target", "rest", "baseline", "unit", "fleet", "layer", "enabled", "wired", "builtin"),
    *("held", "frozen_until", "planned_at", "reaches", "acknowledged", "heard", "a_minute"),
    *("revision", "reason", "actor", "changed_at"),
)
# In the address, as it is called, and the words of `FlagView.state` that it means.
FILTERS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("", "All", frozenset()),
    ("partial", "Rolling out", frozenset({"partial"})),
    ("everyone", "In force", frozenset({"everyone", "custom"})),
    ("baseline", "Baseline", frozenset({"baseline"})),
    ("held", "Held", frozenset({"held"})),
    ("off", "Off", frozenset({"off"})),
)
_SORTS = ("area", "key", "stage", "changed", "asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the address asks for. Anything that it cannot mean is left out."""

    state: str = ""
    area: str = ""
    text: str = ""
    sort: str = "area"

    @classmethod
    def of(cls, query: QueryDict) -> "Wish":
        state, sort, area = (query.get(name, "") for name in ("state", "sort", "area"))
        return cls(
            state=state if state in {name for name, _, _ in FILTERS} else "",
            area=area if area in {one.slug for one in AREAS} else "",
            text=query.get("q", "").replace("\x00", "").strip()[:100],
            sort=sort if sort in _SORTS else "area",
        )

    @property
    def narrows(self) -> bool:
        """Whether the address asks for less, or in another order, than what is pushed to all."""
        return self != Wish()

    def link(self, **changes: str) -> str:
        query = QueryDict(mutable=True)
        wished = {"state": self.state, "area": self.area, "q": self.text, "sort": self.sort}
        for name, value in (wished | changes).items():
            if value and (name, value) != ("sort", "area"):
                query[name] = value
        return f"?{query.urlencode()}"

    def wants(self, row: Row) -> bool:
        named = next(names for key, _, names in FILTERS if key == self.state)
        flag = row.flag
        words = f"{flag.key} {flag.title} {' '.join(flag.variants)}".lower()
        return (
            self.text.lower() in words
            and (not named or flag.state in named)
            and (not self.area or row.area.slug == self.area)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step that is set by itself."""

    step: Step
    row: Row
    now: datetime

    @property
    def in_s(self) -> float:
        return (self.step.at - self.now).total_seconds()


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    wish = Wish.of(request.GET)
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        rows = _sorted(rows_of(fleetview.look()), wish)
        return stream_table("flags", form, COLUMNS, iter([[_flat(row) for row in rows]]))
    return render_page(request, TEMPLATE, "list", {**load(wish), "topics": "flags"})


def load(wish: Wish | None = None) -> dict[str, Any]:
    wish = wish or Wish()
    fleet = fleetview.look()
    every = rows_of(fleet)
    rows = _sorted(every, wish)
    return {
        "section": "flags",
        "fleet": fleet,
        "wish": wish,
        "rows": rows,
        "every": every,
        "groups": _groups(rows, wish),
        **_coming(every),
        "figures": figures(every, fleet),
        "pulse": _pulse(every),
        "filters": [
            (key, label, sum(Wish(state=key).wants(row) for row in every), wish.link(state=key))
            for key, label, _ in FILTERS
        ],
        "areas": [(one, sum(row.area == one for row in every)) for one in AREAS],
        "sorts": [(name, wish.link(sort=name)) for name in _SORTS],
        "downloads": [(form.upper(), wish.link(format=form)) for form in sorted(TABLE_FORMS)],
        "history": history.of_kinds([ControlKind.FLAGS]),
    }


def rows_of(fleet: Fleet) -> list[Row]:
    """By area, and by key within."""
    rank = {area: at for at, area in enumerate(AREAS)}
    rows = [row_of(flag) for flag in reading.flags(fleet)]
    return sorted(rows, key=lambda row: (rank[row.area], row.flag.key))


def _coming(rows: Sequence[Row]) -> dict[str, Any]:
    """The freeze of all flags, and the step that is set by itself first."""
    now = clock.now()
    freeze = freezing.standing("", now)
    planned = [Planned(step=row.waiting[0], row=row, now=now) for row in rows if row.waiting]
    return {
        "freeze": freeze,
        "freeze_left_s": (freeze.until - now).total_seconds() if freeze else None,
        "next_plan": min(planned, key=lambda one: one.step.at, default=None),
    }


def figures(rows: Sequence[Row], fleet: Fleet) -> dict[str, Any]:
    """`revision`: of the newest change, which all workers are to acknowledge."""
    partial = [row for row in rows if row.flag.state == "partial"]
    revision = max((row.flag.revision for row in rows), default=0)
    names = ", ".join(f"{row.flag.key} {row.flag.stage} %" for row in partial)
    return {
        "partial": len(partial),
        "said": f"Rolling out: {names}" if names else "No flag is rolling out",
        "total": len(rows),
        "held": sum(row.flag.state == "held" for row in rows),
        "off": sum(not row.flag.enabled for row in rows),
        "changed": sum(not row.as_shipped for row in rows),
        "revision": revision,
        "heard": fleet.heard,
        "acknowledged": fleet.acknowledged(revision),
    }


def _sorted(rows: Sequence[Row], wish: Wish) -> list[Row]:
    """Those that are wanted, in the order that is."""
    found = [row for row in rows if wish.wants(row)]
    if wish.sort == "key":
        found.sort(key=lambda row: row.flag.key)
    elif wish.sort == "stage":
        found.sort(key=lambda row: (row.flag.state != "partial", -row.flag.stage))
    elif wish.sort == "changed":
        found.sort(key=lambda row: -row.flag.changed_at.timestamp())
    elif wish.sort == "asked":
        found.sort(key=lambda row: -(row.a_minute or 0))
    return found


def _groups(rows: Sequence[Row], wish: Wish) -> list[tuple[str, list[Row]]]:
    """In one group without a name where they are sorted by something else."""
    if wish.sort != "area":
        return [("", list(rows))]
    found = [(area.name, [row for row in rows if row.area == area]) for area in AREAS]
    return [(name, members) for name, members in found if members]


def _pulse(rows: Sequence[Row]) -> str:
    """Changes when the list does: a filtered one, which is not pushed, asks for itself then."""
    said = repr(
        [
            (row.flag.key, row.flag.revision, row.state, row.marks, row.flag.acknowledged)
            for row in rows
        ]
    )
    return blake2b(said.encode(), digest_size=6).hexdigest()


def _flat(row: Row) -> dict[str, object]:
    flag = row.flag
    return cells(
        flag,
        COLUMNS,
        area=row.area.name,
        state=row.state.word,
        next_stage=row.next_stage,
        frozen_until=flag.frost.until if flag.frost else None,
        planned_at=row.waiting[0].at if row.waiting else None,
        reaches=flag.reach.text,
        a_minute=row.a_minute,
    )
