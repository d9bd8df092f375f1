"""`manage.py gates`: what the sources ask for, held against what is measured here."""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from console.roadmap.gates import standing
from console.roadmap.gates.judged import Judged, State

PASS, FAIL, NOT_RUN, OPEN = 0, 1, 2, 3
_WORDS: Final[Mapping[State, str]] = {
    "pass": "pass",
    "fail": "FAIL",
    "no_data": "no data",
    "not_measurable": "not measurable",
}


class Command(BaseCommand):
    help = (
        "Judges the gates of all programmes, of one, or of a phase. Exit 0 all pass, 1 one fails, "
        "2 could not run, 3 none fails and one has no data or cannot be measured: never a pass."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("phase", nargs="?", metavar="PHASE", help="roadmap.1, or a programme: roadmap")
        add("--json", action="store_true", help="one object instead of words")

    def handle(self, **options: Any) -> None:
        try:
            found = standing.judge_all(options["phase"])
        except standing.UnknownPhase as exc:
            raise CommandError(str(exc), returncode=NOT_RUN) from exc
        if options["json"]:
            self.stdout.write(json.dumps(in_json(found), ensure_ascii=False))
        else:
            self._tell(found)
        if code := exit_of(found):
            sys.exit(code)

    def _tell(self, found: tuple[Judged, ...]) -> None:
        for one in found:
            figure = "" if one.value is None else f" {one.value:.4g} {one.unit}".rstrip()
            wanted = f" (wanted {one.wanted})" if one.wanted else ""
            self.stdout.write(f"{_word(one):14} {one.id}: {one.title}:{figure}{wanted}")
            if one.state != "pass":
                self.stdout.write(f"{'':14} {one.why}")
        told = Counter(one.state for one in found)
        held = Counter(one.by for one in found if one.state == "pass")
        said = ", ".join(f"{told[state]} {words.lower()}" for state, words in _WORDS.items())
        said += f"; of those that pass {held['test']} by tests, {held['release']} as built"
        self.stdout.write(f"{len(found)} gates: {said}.")


def _word(one: Judged) -> str:
    """What nobody measured is held, and is told apart."""
    return _WORDS[one.state] if one.state != "pass" else one.word


def exit_of(found: tuple[Judged, ...]) -> int:
    states = {one.state for one in found}
    if "fail" in states:
        return FAIL
    return PASS if states == {"pass"} else OPEN


def in_json(found: tuple[Judged, ...]) -> dict[str, Any]:
    told = Counter(one.state for one in found)
    return {
        "passes": exit_of(found) == PASS,
        "counts": {state: told[state] for state in _WORDS},
        "gates": [asdict(one) for one in found],
    }
