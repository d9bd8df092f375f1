"""The circuit breakers of the fleet, worst first: filtered, searched and sorted by the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.fleetview import Fleet, FleetBreaker
from console.fleetview.breakers import WORST
from console.fleetview.rows import most
from console.http import render_page
from console.pages import states
from console.pages.fleet import cells, unreachable
from console.pages.states import State

TEMPLATE = "console/breakers.html"
REGIONS = ("figures", "list")
COLUMNS = (
    *("name", "state", "computed", "on_workers", "workers", "failure_rate", "slow_rate"),
    *("p50_ms", "p95_ms", "calls", "failures", "slow", "rejected", "trips", "retry_in_s"),
    *("desired_mode", "desired_settings", "desired_ends_in_s", "revision", "acknowledged"),
    *("reason", "actor", "age_s"),
)
_BLOCKING = frozenset({"open", "forced_open"})
# In the address, as it is called, and the states that it means.
FILTERS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("", "All", frozenset()),
    ("open", "Open", _BLOCKING),
    ("half_open", "Half-open", frozenset({"half_open"})),
    ("closed", "Closed", frozenset({"closed", "forced_closed"})),
)
_SORTS = ("worst", "name", "failures", "p95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One breaker as a table shows it. `state` None: no worker that is up reports it."""

    found: FleetBreaker
    state: State | None
    desired: State | None
    p50_ms: float | None
    # In how many workers which state, the worst first.
    spread: tuple[tuple[State, int], ...]

    @property
    def name(self) -> str:
        return self.found.name

    @property
    def has_next(self) -> bool:
        """Whether something is about to happen by itself."""
        found = self.found
        probes = found.retry_in_s is not None or found.state == "half_open"
        return probes or bool(found.desired.mode)

    @property
    def ends_in_s(self) -> float | None:
        return self.found.desired.for_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the address asks for. Anything that it cannot mean is left out."""

    state: str = ""
    forced: bool = False
    text: str = ""
    sort: str = "worst"

    @classmethod
    def of(cls, query: QueryDict) -> "Wish":
        state, sort = query.get("state", ""), query.get("sort", "")
        return cls(
            state=state if state in {name for name, _, _ in FILTERS} else "",
            forced=state == "forced",
            text=query.get("q", "").replace("\x00", "").strip()[:160],
            sort=sort if sort in _SORTS else "worst",
        )

    @property
    def narrows(self) -> bool:
        """Whether the address asks for less, or in another order, than what is pushed to all."""
        return bool(self.state or self.forced or self.text or self.sort != "worst")

    @property
    def picked(self) -> str:
        return "forced" if self.forced else self.state

    def link(self, **changes: str) -> str:
        query = QueryDict(mutable=True)
        wished = {"state": self.picked, "q": self.text, "sort": self.sort} | changes
        for name, value in wished.items():
            if value and (name, value) != ("sort", "worst"):
                query[name] = value
        return f"?{query.urlencode()}"

    def wants(self, row: Row) -> bool:
        named = next(names for key, _, names in FILTERS if key == self.state)
        return (
            self.text.lower() in row.name.lower()
            and (not named or any(row.found.by_state.get(name) for name in named))
            and (not self.forced or not row.found.desired.is_auto)
        )


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    wish = Wish.of(request.GET)
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        fleet = fleetview.look()
        if not fleet.reachable:
            return unreachable()
        rows = _wanted(rows_of(fleet), wish)
        return stream_table("breakers", form, COLUMNS, iter([[_flat(row) for row in rows]]))
    return render_page(request, TEMPLATE, "list", {**load(wish), "topics": "breakers"})


def load(wish: Wish | None = None) -> dict[str, Any]:
    wish = wish or Wish()
    fleet = fleetview.look()
    every = rows_of(fleet)
    return {
        "section": "breakers",
        "fleet": fleet,
        "wish": wish,
        "rows": _wanted(every, wish),
        "every": every,
        "figures": figures(every, fleet),
        "pulse": _pulse(every),
        "filters": [
            (key, label, sum(Wish(state=key).wants(row) for row in every), wish.link(state=key))
            for key, label, _ in FILTERS
        ]
        + [
            (
                "forced",
                "Overridden",
                sum(not row.found.desired.is_auto for row in every),
                wish.link(state="forced"),
            )
        ],
        "sorts": [(name, wish.link(sort=name)) for name in _SORTS],
        "downloads": [(form.upper(), wish.link(format=form)) for form in sorted(TABLE_FORMS)],
    }


def rows_of(fleet: Fleet) -> list[Row]:
    """Worst first."""
    return [row_of(found) for found in fleetview.breakers(fleet)]


def row_of(found: FleetBreaker) -> Row:
    return Row(
        found=found,
        state=states.of_breaker(found.state) if found.state else None,
        desired=states.of_breaker(found.desired.mode) if found.desired.mode else None,
        p50_ms=most([row.report for row in found.rows if row.is_current], "p50_ms"),
        spread=tuple(counted(found.by_state)),
    )


def counted(by_state: dict[str, int]) -> list[tuple[State, int]]:
    """Worst first, as the fleet ranks them."""
    rank = {name: at for at, name in enumerate(WORST)}
    ordered = sorted(by_state.items(), key=lambda pair: rank.get(pair[0], -1))
    return [(states.of_breaker(name), number) for name, number in ordered]


def figures(rows: Sequence[Row], fleet: Fleet) -> dict[str, Any]:
    """`first`: of those that block on one worker at least; `lagging`: wishes not all obey yet."""
    ordered = [row.found for row in rows if row.found.desired.revision]
    blocking = [row.name for row in rows if _BLOCKING & row.found.by_state.keys()]
    return {
        "first": next((row for row in rows if _BLOCKING & row.found.by_state.keys()), None),
        "open": len(blocking),
        "said": f"Blocking: {', '.join(blocking)}" if blocking else "No breaker is blocking",
        "reported": sum(row.found.state is not None for row in rows),
        "forced": sum(not row.found.desired.is_auto for row in rows),
        "rejected": sum(row.found.rejected or 0 for row in rows),
        "ordered": len(ordered),
        "lagging": sum(not found.is_acknowledged for found in ordered),
        "workers": fleet.heard,
    }


def _wanted(rows: Sequence[Row], wish: Wish) -> list[Row]:
    found = [row for row in rows if wish.wants(row)]
    if wish.sort == "name":
        found.sort(key=lambda row: row.name)
    elif wish.sort == "failures":
        found.sort(key=lambda row: -(row.found.failure_rate or 0.0))
    elif wish.sort == "p95":
        found.sort(key=lambda row: -(row.found.p95_ms or 0.0))
    return found


def _pulse(rows: Sequence[Row]) -> str:
    """Changes when the list does: a filtered one, which is not pushed, asks for itself then."""
    said = repr([(r.found.name, r.found.by_state, r.found.calls, r.found.desired) for r in rows])
    return blake2b(said.encode(), digest_size=6).hexdigest()


def _flat(row: Row) -> dict[str, object]:
    found, wanted = row.found, row.found.desired
    tuned = " ".join(f"{name}={value:g}" for name, value in sorted(wanted.settings.items()))
    return cells(
        found,
        COLUMNS,
        p50_ms=row.p50_ms,
        on_workers=found.by_state[found.state] if found.state else None,
        desired_mode=wanted.mode or "auto",
        desired_settings=tuned,
        desired_ends_in_s=wanted.for_s,
        revision=wanted.revision,
        reason=wanted.reason,
        actor=wanted.actor,
    )
