"""What drills have shown of a flag and a target: for guards, rollouts and pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from console.experiments import surroundings
from console.rehearsals.models import VERDICTS, Rehearsal, State

GOOD_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One drill that came to a verdict. `on_this_code`: nothing of the sources changed since.

    `found` is `drilling.Found` as an object; `why` says it in a sentence.
    """

    id: int
    flag: str
    target: str
    baseline: str
    passed: bool
    why: str
    ended_at: datetime
    age_s: float
    code_revision: str
    on_this_code: bool
    # Seconds until the baseline was in force again; None where it never was.
    restored_s: float | None
    found: Mapping[str, Any]

    @property
    def is_fresh(self) -> bool:
        """Good enough to give it to units that it was not given to yet."""
        return self.passed and self.on_this_code and self.age_s <= GOOD_FOR.total_seconds()

    @property
    def is_one_way(self) -> bool:
        """No stage of it may be raised."""
        return not self.passed and self.on_this_code

    @property
    def words(self) -> str:
        """`rehearsed 2026-11-21 22:20 UTC: passed, the baseline back in 0.02 s`."""
        when = f"rehearsed {self.ended_at:%Y-%m-%d %H:%M} UTC"
        other = "" if self.on_this_code else ", on other code"
        if not self.passed:
            return f"{when}{other}: failed. {self.why}"
        back = "" if self.restored_s is None else f", the baseline back in {self.restored_s:.2g} s"
        return f"{when}{other}: passed{back}"


def of(flag_key: str, target: str) -> Rehearsed | None:
    """The newest on this code, else the newest on any; None: never rehearsed to a verdict, or it
    failed once since it had passed.
    """
    rows = _verdicts().filter(flag=flag_key, target=target)
    here = rows.filter(code_revision=surroundings.code_revision()).order_by("-pk").first()
    row = here or rows.order_by("-pk").first()
    return None if row is None else _rehearsed(row, timezone.now())


def newest() -> Mapping[tuple[str, str], Rehearsed]:
    """As `of`, of each flag and target that was rehearsed."""
    rows = _verdicts()
    last = rows.order_by("flag", "target", "code_revision", "-pk")
    now, found = timezone.now(), dict[tuple[str, str], Rehearsed]()
    for row in last.distinct("flag", "target", "code_revision"):
        key, one = (row.flag, row.target), _rehearsed(row, now)
        known = found.get(key)
        if known is None or (one.on_this_code, one.id) > (known.on_this_code, known.id):
            found[key] = one
    return found


def waiting(flag_key: str = "", target: str = "") -> Rehearsal | None:
    """One that runs or waits to: of that flag and target, where they are named."""
    rows = _waiting()
    named = {"flag": flag_key, "target": target}
    rows = rows.filter(**{name: value for name, value in named.items() if value})
    return rows.order_by("pk").first()


def waiting_of(flag_key: str) -> Mapping[str, Rehearsal]:
    """By target, those that run or wait to."""
    return {row.target: row for row in _waiting().filter(flag=flag_key)}


def _verdicts() -> QuerySet[Rehearsal]:
    """Of the same code, a drill that failed once takes back what had passed before, though it is no
    verdict: what is lost now and then would pass sooner or later.
    """
    same = {name: OuterRef(name) for name in ("flag", "target", "code_revision")}
    later = Rehearsal.objects.filter(pk__gt=OuterRef("pk"), **same).exclude(found={})
    doubted = Exists(later.exclude(state__in=VERDICTS))
    return Rehearsal.objects.filter(Q(state=State.FAILED) | ~doubted, state__in=VERDICTS)


def _waiting() -> QuerySet[Rehearsal]:
    """Without those whose runner is gone: nobody may have said so yet."""
    runs = Q(state=State.RUNNING, lease_until__gte=Now())
    return Rehearsal.objects.filter(runs | Q(state=State.QUEUED))


def words_of(flag_key: str, target: str) -> str:
    """`not rehearsed`, or when and with what end."""
    one = of(flag_key, target)
    return "not rehearsed" if one is None else one.words


def _rehearsed(row: Rehearsal, now: datetime) -> Rehearsed:
    ended_at = row.ended_at or row.created_at
    return Rehearsed(
        id=row.pk,
        flag=row.flag,
        target=row.target,
        baseline=row.baseline,
        passed=row.state == State.PASSED,
        why=row.why,
        ended_at=ended_at,
        age_s=max(0.0, (now - ended_at).total_seconds()),
        code_revision=row.code_revision,
        on_this_code=row.code_revision == surroundings.code_revision(),
        restored_s=row.found.get("restored_s"),
        found=row.found,
    )
