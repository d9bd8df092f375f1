"""`manage.py roadmap`: loads the release's roadmap, shows it, or writes of an optimisation."""

import json
from argparse import ArgumentParser
from typing import Any

from console.controls import ControlError
from console.management.acting import DONE, ActingCommand, actor, reason_of
from console.roadmap import compounding, edits, loading, seen
from console.roadmap.programmes import roadmap
from console.roadmap.reading import DataError
from console.roadmap.seen import Seen
from console.roadmap.status import WORDS

_ACTS = ("load", "show", "edit")


class Command(ActingCommand):
    help = (
        "roadmap load; roadmap show [1.4] [--json]; "
        "roadmap edit 1.4 --owner Ada --due 2030-01-31 --reason 'Agreed on Monday'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("act", choices=_ACTS, metavar="|".join(_ACTS))
        add("key", nargs="?", metavar="ID", help="an optimisation; without one: all")
        for name in edits.FIELDS:
            add(f"--{name}", help="edit: empty takes it back")
        add("--revision", type=int, metavar="R", help="edit: the one you saw")
        add("--reason", help="10 to 500 characters")
        add("--json", action="store_true", help="show: one object instead of words")

    def run(self, **options: Any) -> int:
        match options["act"]:
            case "load":
                return self._load()
            case "show":
                return self._show(options["key"], is_json=options["json"])
        return self._edit(options)

    def _load(self) -> int:
        try:
            written = loading.load()
        except DataError as exc:
            raise ControlError(f"Nothing was loaded. {exc}") from exc
        for name in written:
            self.stdout.write(name)
        self.stdout.write(f"{len(written)} written" if written else "nothing to write")
        return DONE

    def _show(self, key: str | None, *, is_json: bool) -> int:
        if key is not None:
            found = seen.one(key)
            self._write(seen.in_json(found)) if is_json else self._tell(found)
            return DONE
        rows = seen.all_of_them()
        if is_json:
            told = {"optimisations": [seen.in_json(each) for each in rows]}
            self._write(seen.everything_in_json(roadmap()) | told)
            return DONE
        for programme in roadmap().programmes:
            self.stdout.write(f"\n{programme.title} ({programme.document}, {programme.span})")
            if made := compounding.of_programme(programme):
                self.stdout.write(_headline(made))
            for each in rows:
                if each.row.programme == programme.id:
                    self.stdout.write(_line(each))
        return DONE

    def _tell(self, found: Seen) -> None:
        row, planned = found.row, found.planned
        self.stdout.write(_line(found))
        told = {
            "status": f"{WORDS[found.status.state]}: {found.status.words}",
            "source": f"{roadmap().programme(row.programme).document}, lines {row.lines}",
            "where": ", ".join(planned.location),
            "effort": "" if planned.effort_h is None else f"{planned.effort_h:g} h",
            "asked": "; ".join(planned.criteria),
            "after": ", ".join(planned.depends),
            "same as": ", ".join(planned.same_as),
            "why": row.reason,
            "way back": row.rollback,
            "contradictions": ", ".join(each.id for each in found.contradictions),
        }
        for name, text in told.items():
            if text:
                self.stdout.write(f"  {name}: {text}")
        if found.edit:
            said = {name: text for name, text in edits.told(found.edit).items() if text}
            self.stdout.write(f"  written by {found.edit.actor}: {said}")

    def _edit(self, options: dict[str, Any]) -> int:
        if options["key"] is None:
            raise ControlError("Name the optimisation: roadmap edit 1.4 --owner Ada.")
        wanted = {name: options[name] for name in edits.FIELDS if options[name] is not None}
        row = edits.edit(
            actor(),
            options["key"],
            wanted,
            reason=reason_of(options),
            based_on=options["revision"],
        )
        self.stdout.write(f"{row.pk}: revision {row.revision}")
        return DONE

    def _write(self, told: Any) -> None:
        self.stdout.write(json.dumps(told, indent=2, ensure_ascii=False))


def _headline(made: compounding.Compounded) -> str:
    added, whole = (f"{low:.0f} to {high:.0f} %" for low, high in (made.added, made.compounds_to))
    return f"  promised {added} by adding; they compound to {whole}"


def _line(each: Seen) -> str:
    by_hand = " (by hand)" if each.edit and each.edit.status else ""
    state = f"{WORDS[each.state]}{by_hand}"
    return f"{each.row.id:8} {each.priority:8} {state:22} {each.row.title}"
