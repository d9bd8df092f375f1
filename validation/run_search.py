"""Finding runs by what a person types: words of their titles, or an id."""

from django.db.models import Q, QuerySet

from validation import words
from validation.models import Run

_MOST_DIGITS = 18


def searched(text: str) -> QuerySet[Run]:
    """By words of the title or their beginnings, or by id: `V-12`, `v12` and `12`."""
    if not text:
        return Run.objects.all()
    wanted = words.found(text, "title")
    digits = text.lower().removeprefix("v").removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        wanted |= Q(pk=int(digits))
    return Run.objects.filter(wanted)
