"""One experiment: what it found, and every block as it was measured, to read and to take away."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.experiments import telling
from console.experiments.models import Experiment
from console.http import render_page
from console.pages import optimisation_evidence
from console.roadmap.programmes import roadmap

TEMPLATE: Final = "console/experiment.html"
_SHOWN: Final = 200


@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    row = find(pk)
    if request.GET.get("format") == "json":
        return _download(row)
    return render_page(request, TEMPLATE, "", load(row))


def find(pk: int) -> Experiment:
    row = Experiment.objects.filter(pk=pk).first()
    if row is None:
        raise Http404(f"There is no experiment {pk}: the pages of the roadmap name them.")
    return row


def home_of(row: Experiment) -> str:
    """The page of the first optimisation that it is about."""
    there = roadmap().planned
    first = next((name for name in row.optimisations if name in there), None)
    return reverse("optimisation", args=[first]) if first else reverse("roadmap")


def load(row: Experiment) -> dict[str, Any]:
    blocks: Sequence[Mapping[str, Any]] = telling.blocks_of(row)
    claim = row.claimed
    names = [claim["metric"], *(guard["metric"] for guard in claim.get("guards", ()))]
    return {
        "section": "roadmap",
        "experiment": row,
        "claim": claim,
        "home": home_of(row),
        "state": optimisation_evidence.state_of(row),
        "older_code": optimisation_evidence.is_older(row),
        "words": optimisation_evidence.words(row.found["effect"]) if row.found else "",
        "noise": optimisation_evidence.words(row.found["noise"]) if row.found else "",
        "repeat": telling.repeat(row),
        "metrics": names,
        "blocks": [
            (block, [block["figures"].get(name) for name in names]) for block in blocks[:_SHOWN]
        ],
        "total": len(blocks),
    }


def _download(row: Experiment) -> HttpResponse:
    text = json.dumps(telling.as_object(row), indent=1, ensure_ascii=False)
    answer = HttpResponse(text, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{row}.json"'
    answer["Cache-Control"] = "no-store"
    return answer
