"""How `manage.py validate` speaks: verdicts on stdout, progress and sums on stderr."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

import msgspec

from validation.printable import printable
from validation.subjects import Malformed
from validation.validators import REASONS, Outcome, Verdict

_BAR_WIDTH = 24
_REDRAW_S = 0.1
_LISTED = 20


class Report:
    """Counts outcomes and prints each as it comes: a line to read, or one JSON object."""

    def __init__(
        self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self._as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._counts: Counter[Verdict] = Counter()
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._bar_shown = False

    @property
    def all_valid(self) -> bool:
        return not self._counts.total() - self._counts[Verdict.VALID]

    def outcome(self, outcome: Outcome) -> None:
        self._counts[outcome.verdict] += 1
        self._clear_bar()
        self._out.write("\n".join(map(printable, self._lines(outcome))) + "\n")

    def progress(self, done: int, total: int, *, rate: float | None = None) -> None:
        """Draws the bar where a person watches, at most ten times a second."""
        now = time.monotonic()
        if not self._err.isatty() or (now - self._drawn_at < _REDRAW_S and done < total):
            return
        self._drawn_at = now
        rate = done / max(now - self._started, 0.001) if rate is None else rate
        filled = _BAR_WIDTH * done // max(total, 1)
        eta = f"  {(total - done) / rate:,.0f} s left" if rate else ""
        bar = "━" * filled + "─" * (_BAR_WIDTH - filled)
        self._err.write(f"\r\x1b[K{bar} {done:,} of {total:,}  {rate:,.0f}/s{eta}")
        self._err.flush()
        self._bar_shown = True

    def say(self, text: str) -> None:
        self._clear_bar()
        self._err.write("\n".join(map(printable, text.split("\n"))) + "\n")

    def malformed(self, found: Sequence[Malformed], count: int) -> None:
        for entry in found[:_LISTED]:
            self.say(f"line {entry.line}: {entry.text!r}: {entry.reason}")
        if count > _LISTED:
            self.say(f"… and {count - _LISTED:,} more")
        self.say(f"{count:,} malformed, nothing started. `--accept-valid` starts the others.")

    def summary(self, title: str = "") -> None:
        parts = ", ".join(f"{count:,} {verdict}" for verdict, count in self._counts.most_common())
        seconds = time.monotonic() - self._started
        total = self._counts.total()
        items = "item" if total == 1 else "items"
        self.say(f"{title}{total:,} {items}: {parts or 'none'} in {seconds:.1f} s")

    def _lines(self, outcome: Outcome) -> Iterator[str]:
        if self._as_json:
            # In ASCII: a control character beyond it stands bare in other JSON.
            yield json.dumps(msgspec.to_builtins(outcome), separators=(",", ":"))
            return
        line = (
            f"{outcome.verdict:<12} level {outcome.level}  {outcome.subject}  {outcome.ms:.0f} ms"
        )
        if outcome.source != "node":
            line += f", from {outcome.source}, {outcome.age_s:.0f} s old"
        yield line
        if outcome.verdict is Verdict.VALID:
            return
        yield f"    {outcome.reason}: {REASONS.get(outcome.reason, outcome.reason)}"
        for check in outcome.checks:
            if check.status != "pass" and check.detail:
                yield f"    {check.name} {check.status}: {check.detail}"

    def _clear_bar(self) -> None:
        if self._bar_shown:
            self._err.write("\r\x1b[K")
            self._bar_shown = False
