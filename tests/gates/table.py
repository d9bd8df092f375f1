"""Writes docs/gates.md from console/roadmap/data/gates.toml and measures.toml.

`python -m tests.gates.table` renews it.
"""

from itertools import groupby
from pathlib import Path

from console.roadmap.gates.files import asked
from console.roadmap.gates.rows import (
    ByAlerts,
    ByBuilt,
    ByDrills,
    ByEvidence,
    ByLevel,
    ByLimits,
    ByMeasure,
    ByNothing,
    ByTest,
    Gate,
    Measure,
    Way,
)
from console.roadmap.programmes import roadmap

PLACE = Path(__file__).parents[2] / "docs" / "gates.md"
RENEW = ".venv/bin/python -m tests.gates.table"
_HEAD = f"""\
# Gates

What the sources ask for before they call something done: every success criterion, week gate,
quality gate and key figure, and what each phase delivers. Written from
`console/roadmap/data/gates.toml` and `measures.toml` by `{RENEW}`; `tests/gates` fails where they
differ, where one is left out, or where a figure, test, claim or rule named here is not there.

`manage.py gates [PHASE] [--json]` judges them (a phase: `roadmap.1`; a programme: `roadmap`), and
ends with 0 where all pass, 1 where one fails, 3 where none fails and one has no data or cannot be
measured, 2 where it could not run. `GET /api/v1/gates` tells the same, `GET /api/v1/targets` what
is measured of each target and key figure.

- *pass*: what is known is on the good side. *fail*: it is on the other.
- *no data*: too few samples, a window with too many gaps, nothing for two minutes, an experiment
  that was not run or is inconclusive. Never a pass.
- *not measurable*: nothing here can say it; the reason is below. It stays open, and an optimisation
  with such a criterion is never called done.

Percentiles are made of buckets, by difference over the window, so a value is known to lie between
two bounds: within them it is reckoned in a straight line, which may be off by the bucket's width. A
gate is judged by the bounds and not by that value: where what is wanted lies between them, there is
no verdict. A window is of one size, ending now: an hour where nothing else is said.
"""


def written() -> str:
    parts = [_HEAD]
    for programme, rows in groupby(_sorted(), key=lambda row: row.programme):
        found = roadmap().programme(programme)
        parts.append(f"\n## {found.title} ({found.document})\n")
        parts.append("| | phase | what is asked for | lines | of | how it is judged |")
        parts.append("|---|---|---|---|---|---|")
        parts.extend(_row(row) for row in rows)
    parts.append("\n## Measures\n")
    parts.append("| | what | how | window | least | targets and key figures |")
    parts.append("|---|---|---|---|---|---|")
    parts.extend(_measure(row) for row in asked().measures.values())
    parts.append("\n## Targets that nothing here measures\n")
    own = {row.id for row in asked().gates}
    parts.extend(
        f"- {row.id} ({row.metric}): {asked().why_not[row.id]}"
        for row in roadmap().targets
        if row.id in asked().why_not and row.id not in own
    )
    return "\n".join(parts) + "\n"


def _sorted() -> list[Gate]:
    order = [each.id for each in roadmap().programmes]
    return sorted(asked().gates, key=lambda row: order.index(row.programme))


def _row(row: Gate) -> str:
    of = ", ".join(row.optimisations)
    cells = (row.id, row.phase, row.title, row.lines, of, _way(row.by))
    return f"| {' | '.join(cells)} |"


def _way(by: Way) -> str:
    match by:
        case ByMeasure():
            unit = asked().measures[by.measure].unit
            said = f"`{by.measure}` {by.sign} {by.value:g} {unit}"
        case ByEvidence():
            wanted = "proved" if by.value is None else f"{by.sign} {_share(by)}"
            said = f"experiment {_names(by.claims, ' or ')}: {wanted}"
        case ByLevel():
            said = f"experiment `{by.claim}`: the treatment {by.sign} {by.value:g} {by.unit}"
        case ByTest():
            said = f"test {_names((each.rpartition('::')[2] for each in by.tests), ', ')}"
        case ByLimits():
            said = "readiness" if by.readiness else f"capacity {_names(by.limits, ', ')}"
        case ByAlerts():
            of = _names(by.rules, ", ") if by.rules else "any rule"
            days = asked().measures[by.measure].window_s / 86_400
            said = f"no {by.severity} alert of {of} in {days:g} days"
        case ByDrills():
            said = (
                "each flag of the phase rehearsed with what is asked for, on this code, in 7 days"
            )
        case ByBuilt():
            said = f"built: {', '.join(by.of)}"
        case ByNothing():
            said = f"**not measurable**: {by.why}"
    return said


def _share(by: ByEvidence) -> str:
    return f"{by.value:+g} {by.unit}" if by.unit else f"{by.value:+.0%}"


def _names(names: object, joint: str) -> str:
    return joint.join(f"`{name}`" for name in names)  # type: ignore[attr-defined]


def _measure(row: Measure) -> str:
    of = row.family or " + ".join(row.figures)
    how = f"p{100 * row.at:g}" if row.by == "quantile" else row.by
    per = f" per {' + '.join(row.per)}" if row.per else ""
    hours = row.window_s / 3_600
    window = f"{hours / 24:g} days" if hours > 24 else f"{hours:g} h"
    least = f"{row.least} {row.counted}"
    if row.load:
        least += f", {row.load.least} {row.load.counted}"
    what = f"{row.title}, {row.unit}. {row.note}".rstrip(" .") + "."
    return f"| {row.id} | {what} | {how} of {of}{per} | {window} | {least} | {', '.join(row.of)} |"


if __name__ == "__main__":
    PLACE.write_text(written(), encoding="utf-8")
