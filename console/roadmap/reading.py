"""Reads the files of `data/` into typed rows; of what is wrong, says file, row and field."""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from console.roadmap.rows import Row

FOLDER: Final = Path(__file__).parent / "data"


class DataError(ValueError):
    """A file of the roadmap says what it must not. Its text names file, row and field."""

    def __init__(self, path: Path, where: str, wrong: str) -> None:
        super().__init__(f"{path.name}, {where}: {wrong}")


def read[R: Row](path: Path, table: str, kind: type[R]) -> tuple[R, ...]:
    """The rows `[[table]]` of a file, in their order; at least one, each with an id of its own."""
    found = opened(path).get(table)
    if not isinstance(found, list) or not found:
        raise DataError(path, f"[[{table}]]", "no row of it")
    rows = [_row(path, table, number, each, kind) for number, each in enumerate(found, 1)]
    names = [name for each in found if (name := each.get("id")) is not None]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(path, f"[[{table}]] {doubled[0]}", "id: another row has it")
    return tuple(rows)


def read_one[R: Row](path: Path, table: str, kind: type[R]) -> R:
    """The one table `[table]` of a file."""
    found = opened(path).get(table)
    if not isinstance(found, dict):
        raise DataError(path, f"[{table}]", "is not there")
    return _converted(path, f"[{table}]", found, kind)


def opened(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(path, "the file", f"cannot be read: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise DataError(path, "the file", f"is no TOML: {exc}") from exc


def _row[R: Row](path: Path, table: str, number: int, found: object, kind: type[R]) -> R:
    name = found.get("id", "without an id") if isinstance(found, dict) else "is no table"
    return _converted(path, f"[[{table}]] {number} ({name})", found, kind)


def _converted[R: Row](path: Path, where: str, found: object, kind: type[R]) -> R:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as exc:
        wrong, _, place = str(exc).partition(" - at `$")
        field = place.strip("`").lstrip(".")
        raise DataError(path, where, f"{field}: {wrong}" if field else wrong) from exc
