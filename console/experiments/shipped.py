"""The evidence that comes with a release: one measured experiment a claim, a file each.

Its row is brought after each migration, any number of times, beside what was measured here; its raw
figures stay in the file. `shipping` writes them.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from django.db import connection, transaction

from console.experiments.models import Experiment, State

FOLDER: Final = Path(__file__).parent / "data"
# Two processes that migrate at once load one after the other.
_LOCK: Final = 0x0A9E
_AS_THEY_ARE: Final = (
    *("claim", "claimed", "optimisations", "flag", "baseline", "treatment", "pairs", "seed"),
    *("verdict", "why", "found", "machine", "code_revision", "flag_revision"),
)
_ACTOR: Final = "release"


def rows(folder: Path = FOLDER) -> dict[str, Experiment]:
    """What the release brings, by claim; of no database yet."""
    return {path.stem: _row(_read(path)) for path in sorted(folder.glob("*.json"))}


def load(folder: Path = FOLDER) -> list[str]:
    """The claims whose row was written or taken away."""
    wanted = rows(folder)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        there = {row.claim: row for row in Experiment.objects.filter(shipped=True)}
        changed = [key for key, row in wanted.items() if not _is_same(row, there.get(key))]
        gone = [key for key in there if key not in wanted]
        Experiment.objects.filter(shipped=True, claim__in=(*changed, *gone)).delete()
        Experiment.objects.bulk_create(wanted[key] for key in changed)
    return [*changed, *gone]


def blocks(experiment: Experiment, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Its raw figures; none where the release brings another one of this claim by now."""
    path = folder / f"{experiment.claim}.json"
    if not path.is_file():
        return []
    told = _read(path)
    is_it = (told["seed"], _when(told["began_at"])) == (experiment.seed, experiment.began_at)
    return list(told["blocks"]) if is_it else []


def _read(path: Path) -> dict[str, Any]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


def _row(told: Mapping[str, Any]) -> Experiment:
    began, ended = _when(told["began_at"]), _when(told["ended_at"])
    return Experiment(
        **{name: told[name] for name in _AS_THEY_ARE},
        state=State.DONE,
        actor=_ACTOR,
        shipped=True,
        created_at=began,
        began_at=began,
        ended_at=ended,
        blocks_wanted=len(told["blocks"]),
    )


def _is_same(row: Experiment, there: Experiment | None) -> bool:
    if there is None:
        return False
    names = (*_AS_THEY_ARE, "began_at", "ended_at", "blocks_wanted")
    return all(getattr(row, name) == getattr(there, name) for name in names)


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)
