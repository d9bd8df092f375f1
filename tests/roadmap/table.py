"""Writes docs/optimisations.md from console/roadmap/decisions.toml.

`python -m tests.roadmap.table` renews it.
"""

from itertools import groupby
from pathlib import Path

from console.roadmap.decisions import PROGRAMMES, Optimisation, optimisations

PLACE = Path(__file__).parents[2] / "docs" / "optimisations.md"
RENEW = ".venv/bin/python -m tests.roadmap.table"
_TITLES = {
    "roadmap": "The performance roadmap",
    "io": "The I/O and memory analysis, where the roadmap lacks it or says otherwise",
    "bottlenecks": "The bottleneck summary",
    "overlay": "The overlay network's analysis",
    "fixpack": "The week-1 fix pack",
}
_HEAD = f"""\
# What became of each optimisation

Written from `console/roadmap/decisions.toml` by `{RENEW}`; `tests/roadmap` fails where the two
differ, where a flag or a test named here is not there, or where a proposal is left out.

*Flag*: it is switched while the fleet runs, by stages, and back; the baseline is what the source
describes as the old behaviour. *Permanent*: nobody would want the old behaviour back, and a test
fails if it comes back. *Deployment*: no process decides it. “Not built” is said where nothing of it
is in this release. Numbers of lines are those of the source.
"""


def written() -> str:
    parts = [_HEAD]
    for programme, rows in groupby(optimisations(), key=lambda row: row.programme):
        parts.append(f"\n## {_TITLES[programme]}\n")
        parts.append("| | optimisation | lines | decision | why | way back |")
        parts.append("|---|---|---|---|---|---|")
        parts.extend(_row(row) for row in rows)
    return "\n".join(parts) + "\n"


def in_order() -> bool:
    """Programmes in their order, each in one piece."""
    found = [programme for programme, _ in groupby(optimisations(), key=lambda row: row.programme)]
    return found == list(PROGRAMMES)


def _row(row: Optimisation) -> str:
    cells = (row.id, row.title, row.lines, _decision(row), row.reason, row.rollback)
    return f"| {' | '.join(cells)} |"


def _decision(row: Optimisation) -> str:
    by = {
        "flag": ", ".join(f"`{key}`" for key in row.flags),
        "permanent": f"permanent: `{row.test.rpartition('::')[2]}`",
        "deployment": "deployment",
    }[row.decision]
    return by if row.built else f"{by} (not built)"


if __name__ == "__main__":
    PLACE.write_text(written(), encoding="utf-8")
