"""The forms behind the acts on an optimisation: measure, and what people write of it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from console.experiments.claims import Claim
from console.pages.act_forms import ActForm
from console.roadmap import edits
from console.roadmap.models import Edit
from console.roadmap.status import WORDS


class MeasureForm(ActForm):
    """Which claim, by how many pairs. What may be wanted the act judges."""

    claim = forms.CharField(required=False, max_length=80)
    pairs = forms.IntegerField(
        required=False, error_messages={"invalid": "Give a whole number of pairs."}
    )

    def __init__(
        self, data: QueryDict | None, *, offered: Sequence[Claim], asked: QueryDict
    ) -> None:
        keys = [each.key for each in offered]
        named = asked.get("claim", "")
        wanted = next((each for each in offered if each.key == named), offered[0])
        given = asked.get("pairs", "")
        typed = int(given) if given.isdecimal() and len(given) < 4 else None  # noqa: PLR2004 - digits
        initial = {
            "claim": wanted.key,
            "pairs": typed or wanted.plan.pairs,
            "reason": asked.get("reason", ""),
        }
        super().__init__(data, initial=initial)
        self.offered, self.keys = offered, keys

    @property
    def chosen(self) -> Claim | None:
        """None for a key that is none of them."""
        return next((each for each in self.offered if each.key == self.key), None)

    @property
    def key(self) -> str:
        """As sent, or as the form begins."""
        return str(self["claim"].value() or self.keys[0])

    @property
    def number(self) -> int | None:
        """Of pairs, where it is a number."""
        try:
            return int(self["pairs"].value())
        except (TypeError, ValueError):
            return None


class EditForm(ActForm):
    """What is empty is not written."""

    owner = forms.CharField(required=False, max_length=160)
    due = forms.CharField(required=False, max_length=40)
    priority = forms.CharField(required=False, max_length=20)
    status = forms.CharField(required=False, max_length=20)
    note = forms.CharField(required=False, max_length=4000)

    def __init__(self, data: QueryDict | None, *, edit: Edit | None, may_set_status: bool) -> None:
        told = edits.told(edit) if edit else {}
        super().__init__(data, initial={**told, "revision": edit.revision if edit else 0})
        self.priorities = edits.PRIORITIES
        self.statuses = [(str(state), word) for state, word in WORDS.items()]
        self.may_set_status = may_set_status

    def wanted(self) -> dict[str, Any]:
        """Those fields that were sent: a form without a status says nothing of it."""
        return {name: self.cleaned_data[name] for name in edits.FIELDS if name in self.data}
