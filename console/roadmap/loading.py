"""Brings the roadmap of a release into its tables; what operators wrote of it stays.

After each migration, by `manage.py roadmap load`, and any number of times: what is as it should be
is not written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from django.db import connection, models, transaction

from console.roadmap import decisions
from console.roadmap.models import Edit, Entry, Optimisation, Phase, Programme
from console.roadmap.programmes import Roadmap, roadmap
from console.roadmap.rows import as_json

# Two processes that migrate at once load one after the other.
_LOCK: Final = 0x0A9D


def load(
    found: Roadmap | None = None, decided: Iterable[decisions.Optimisation] | None = None
) -> list[str]:
    """The names of what was written or taken away: "optimisation 1.4", "kpi roadmap.kpi.1"."""
    found = found or roadmap()
    rows = tuple(decisions.optimisations() if decided is None else decided)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        wanted: tuple[tuple[type[models.Model], Sequence[models.Model]], ...] = (
            (Programme, _programmes(found)),
            (Phase, _phases(found)),
            (Optimisation, _optimisations(found, rows)),
            (Entry, _entries(found)),
        )
        written = [name for model, those in wanted for name in _write(model, those)]
        # Those that others belong to go after them.
        gone = [name for model, those in reversed(wanted) for name in _let_go(model, those)]
    return [*written, *gone]


def _programmes(found: Roadmap) -> list[Programme]:
    return [
        Programme(key=each.id, position=place, title=each.title, facts=_plain(as_json(each)))
        for place, each in enumerate(found.programmes)
    ]


def _phases(found: Roadmap) -> list[Phase]:
    pairs = [(programme, phase) for programme in found.programmes for phase in programme.phase]
    return [
        Phase(
            key=phase.id,
            programme_id=programme.id,
            position=place,
            title=phase.title,
            facts=_plain(as_json(phase)),
        )
        for place, (programme, phase) in enumerate(pairs)
    ]


def _optimisations(found: Roadmap, rows: Sequence[decisions.Optimisation]) -> list[Optimisation]:
    made = []
    for place, row in enumerate(rows):
        planned = found.planned[row.id]
        made.append(
            Optimisation(
                key=row.id,
                programme_id=row.programme,
                phase_id=planned.phase or None,
                position=place,
                title=row.title,
                priority=planned.priority,
                rollback=row.rollback,
                facts=_plain(as_json(planned) | asdict(row)),
                released=True,
            )
        )
    return made


def _entries(found: Roadmap) -> list[Entry]:
    return [
        Entry(kind=kind, key=told["id"], position=place, facts=_plain(told))
        for kind, rows in found.entries().items()
        for place, told in enumerate(as_json(row) for row in rows)
    ]


def _write(model: type[models.Model], wanted: Sequence[models.Model]) -> list[str]:
    """What is new, or otherwise than it was."""
    there = _there(model)
    new = [row for row in wanted if _name(row) not in there]
    changed = [row for row in wanted if _name(row) in there and _differs(row, there[_name(row)])]
    for row in changed:
        row.pk = there[_name(row)].pk
    model._default_manager.bulk_create(new)  # noqa: SLF001 - Django's public name for it
    if changed:
        fields = [field.name for field in _fields(model)]
        model._default_manager.bulk_update(changed, fields)  # noqa: SLF001 - as above
    return [_name(row) for row in (*new, *changed)]


def _let_go(model: type[models.Model], wanted: Sequence[models.Model]) -> list[str]:
    """What no release brings any more. An optimisation of which operators wrote something stays, as
    nobody's, and so does its programme.
    """
    kept = {_name(row) for row in wanted}
    gone = []
    for name, row in _there(model).items():
        if name in kept or (isinstance(row, Programme) and row.rows.exists()):
            continue
        if isinstance(row, Optimisation) and Edit.objects.filter(pk=row.pk).exists():
            if not row.released:
                continue
            row.released = False
            row.save()
        else:
            row.delete()
        gone.append(name)
    return gone


def _there(model: type[models.Model]) -> dict[str, models.Model]:
    rows = model._default_manager.all()  # noqa: SLF001 - Django's public name for it
    return {_name(row): row for row in rows}


def _name(row: models.Model) -> str:
    if isinstance(row, Entry):
        return f"{row.kind} {row.key}"
    return f"{row._meta.model_name} {row.pk}"  # noqa: SLF001 - Django's public name for it


def _fields(model: type[models.Model]) -> list["models.Field[Any, Any]"]:
    fields = model._meta.concrete_fields  # noqa: SLF001 - Django's public name for it
    return [field for field in fields if not field.primary_key]


def _differs(row: models.Model, there: models.Model) -> bool:
    names = [field.attname for field in _fields(type(row))]
    return any(getattr(row, name) != getattr(there, name) for name in names)


def _plain(told: Any) -> Any:
    """As JSON brings it back: without tuples."""
    if isinstance(told, dict):
        return {name: _plain(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [_plain(value) for value in told]
    return told
