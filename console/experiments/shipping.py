"""Writes what was measured as evidence that comes with the next release: a file a claim."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from console.experiments import shipped, telling
from console.experiments.models import Experiment, State

_DIGITS: Final = 6
# Of the database it was measured in, and nowhere else.
_LOCAL: Final = ("experiment", "state", "shipped", "repeat", "actor")


class NotShipped(Exception):
    """It cannot go with a release; says why."""


def write(experiment: Experiment, folder: Path = shipped.FOLDER) -> Path:
    """Raises NotShipped for what is not measured to its end."""
    if experiment.state != State.DONE:
        raise NotShipped(f"{experiment} is {experiment.state}: it says nothing of its claim.")
    return write_object(telling.as_object(experiment), folder)


def write_object(measured: Mapping[str, Any], folder: Path = shipped.FOLDER) -> Path:
    """Of what `--json` printed of one that is done."""
    told = _rounded(dict(measured))
    for name in _LOCAL:
        told.pop(name, None)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{told['claim']}.json"
    # A block a line: what differs from the release before is seen.
    blocks = ",\n".join(msgspec.json.encode(block).decode() for block in told.pop("blocks"))
    head = msgspec.json.encode(told).decode()
    path.write_text(f'{head[:-1]},"blocks":[\n{blocks}\n]}}\n', encoding="utf-8")
    return path


def _rounded(told: Any) -> Any:
    """Six digits say more than was measured."""
    if isinstance(told, float):
        short = float(f"{told:.{_DIGITS}g}")
        return int(short) if short.is_integer() else short
    if isinstance(told, dict):
        return {name: _rounded(value) for name, value in told.items()}
    return [_rounded(value) for value in told] if isinstance(told, list) else told
