"""Where an act on a flag goes back to: the optimisation it was asked for on, or the flag."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from console.roadmap import decisions


def back_of(request: HttpRequest, flag: str) -> str:
    """`?optimisation=1.6` leads back there, where that is one of the flag's."""
    named = request.GET.get("optimisation", "")
    if any(row.id == named for row in decisions.of_flag(flag)):
        return reverse("optimisation", args=[named])
    return reverse("flag", args=[flag])


def asking_for(request: HttpRequest, address: str, **wanted: object) -> str:
    """Another dialog, or this one otherwise, that leads back to the same."""
    named = request.GET.get("optimisation")
    return f"{address}?{urlencode(wanted | ({'optimisation': named} if named else {}))}"


def action_of(request: HttpRequest) -> str:
    """Where the form of the act is sent: with the optimisation that the address names."""
    return request.get_full_path() if request.GET.get("optimisation") else request.path
