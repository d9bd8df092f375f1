"""From what is written down and what is seen to what is to be written. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from monitoring.alerts.muting import why_muted
from monitoring.alerts.rows import Known
from monitoring.alerts.rules import Observation, Rule
from monitoring.alerts.signals import Seen
from monitoring.alerts.states import FIRING, Standing, step
from monitoring.alerts.turns import Turn

_UNKNOWN = Observation(subject="", value=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One alert before and after a look. `was` None: it is new; `now` None: it is forgotten."""

    was: Standing | None
    now: Standing | None


def judge(
    rules: Mapping[str, Rule], known: Known, seen: Mapping[str, Seen], turn: Turn
) -> tuple[Change, ...]:
    """A change for each alert that is open, or was a moment ago; also where nothing changed."""
    changes = tuple(_changes(rules, known, seen, turn))
    standing = [change.now for change in changes if change.now is not None]
    others = [*standing, *known.cleared]
    return tuple(
        replace(change, now=_muted(change.now, rules, others, known, turn)) for change in changes
    )


def _muted(
    alert: Standing | None,
    rules: Mapping[str, Rule],
    others: list[Standing],
    known: Known,
    turn: Turn,
) -> Standing | None:
    if alert is None or alert.state != FIRING:
        return alert
    return replace(alert, muted=why_muted(alert, rules, others, known.silences, turn.now))


def _changes(
    rules: Mapping[str, Rule], known: Known, seen: Mapping[str, Seen], turn: Turn
) -> Iterator[Change]:
    for key, rule in rules.items():
        answers = seen.get(key)
        told = {one.subject: one for one in answers or ()}
        open_ = {subject for of, subject in known.open if of == key}
        for subject in sorted(open_ | told.keys()):
            was = known.open.get((key, subject))
            one = _UNKNOWN if answers is None else told.get(subject)
            before = known.before.get((key, subject))
            flaps = 0 if before is None else before + 1
            now = step(rule, was, one, turn.now, flaps=flaps)
            if was is not None or now is not None:
                yield Change(was=was, now=now)
