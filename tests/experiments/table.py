"""Writes docs/evidence.md from the evidence that comes with the release.

`python -m tests.experiments.table` renews it, after `experiment --ship console/experiments/data`.
"""

import os
from pathlib import Path

from console.env import ROOT

PLACE = ROOT / "docs" / "evidence.md"
RENEW = ".venv/bin/python -m tests.experiments.table"
_HEAD = f"""\
# Claimed against measured

Written from `console/experiments/data/*.json` by `{RENEW}`;
`tests/experiments` fails where the two differ, or where a file's raw blocks do not bear out its
verdict.

Each claim was measured by this product on one machine, shared with other work: interleaved pairs
of the baseline and the treatment, and as many of the baseline against itself (the noise). *Proved*:
all of the 95 % interval is worth having and beyond the noise. *Refuted*: none of it is.
*Inconclusive* is neither, and never counts as done. Ratios hold better on other machines than
absolute figures do. "Finds": how often a plan like this, with that noise, would find an effect of
5, 10 and 30 %.
The page of an optimisation shows what was measured where you are, which goes before this.
"""


def written() -> str:
    from console.experiments import claims, shipped, telling  # noqa: PLC0415 - after django.setup

    told = shipped.rows()
    known = claims.claims()
    parts = [_HEAD, "| claim | of | claimed | measured | noise | verdict | finds |"]
    parts.append("|---|---|---|---|---|---|---|")
    for key, claim in known.items():
        experiment = told.get(key)
        cells = telling.cells(experiment) if experiment else ("", "not measured", "", "", "")
        names = ", ".join(claim.optimisations)
        parts.append(f"| [{claim.title}](#{key}) | {names} | {' | '.join(cells)} |")
    parts.append("\n## Not measured here, and why\n")
    for each in claims.unmeasured():
        names = ", ".join(each.optimisations)
        parts.append(f"- **{each.title}** ({names}; {each.source}: “{each.says}”). {each.why}")
    for key, experiment in sorted(told.items(), key=lambda pair: [*known].index(pair[0])):
        parts.append(f"\n## {key}\n\n```text\n{telling.as_words(experiment)}\n```")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    Path(PLACE).write_text(written(), encoding="utf-8")
