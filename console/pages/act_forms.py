"""The forms behind the acts of an operator: why, until when, on what they saw, and on what."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from console.access.roles import Role
from console.controls import Order, bounds
from validation.resilience import THRESHOLDS
from validation.rpc import NodeUrl

ENDS = (
    ("300", "5 minutes"),
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "24 hours"),
)
LASTING = ("", "Until changed")


class ActForm(forms.Form):
    """Why, and the revision that the person saw. What may be wanted `console.controls` judges."""

    reason = forms.CharField(required=False, max_length=bounds.LONGEST_REASON)
    revision = forms.IntegerField(required=False, min_value=0)

    @property
    def based_on(self) -> int | None:
        """None: sent without one, by hand; then whatever there is."""
        found: int | None = self.cleaned_data["revision"]
        return found

    @property
    def why(self) -> str:
        return str(self.cleaned_data["reason"])


class EndingForm(ActForm):
    """For something that ends by itself."""

    for_s = forms.TypedChoiceField(choices=ENDS, coerce=float, initial=str(bounds.DEFAULT_S))


class ConfirmedForm(EndingForm):
    """For something that stops calls: the name is typed once more."""

    confirm = forms.CharField(required=False, strip=True, max_length=160)


class RevertForm(ActForm):
    confirm = forms.CharField(required=False, strip=True, max_length=160)


class NodeForm(ActForm):
    """For what may leave runs without a node: its label is typed once more then."""

    confirm = forms.CharField(required=False, strip=True, max_length=160)


class MoveForm(ActForm):
    place = forms.IntegerField(required=False)


class AddNodeForm(ActForm):
    url = forms.CharField(required=False, strip=True)

    @property
    def may_be_shown(self) -> bool:
        """Whether the URL may stand in the page again: a path or a user may be a key."""
        try:
            return "#" not in NodeUrl.parse(str(self["url"].value() or "")).label
        except ValueError:
            return False


class PurgeForm(ActForm):
    tag = forms.CharField(required=False, strip=True, max_length=160)
    confirm = forms.CharField(required=False, strip=True, max_length=160)


class _NumbersForm(ActForm):
    """Some numbers over what is configured, of one layer: those that end, or those that last.

    Each layer is replaced whole, so only its own values stand in the fields.
    """

    for_s = forms.TypedChoiceField(
        choices=ENDS, coerce=float, empty_value=None, required=False, initial=str(bounds.DEFAULT_S)
    )
    names: tuple[str, ...] = ()

    def __init__(
        self,
        data: QueryDict | None,
        *,
        role: Role,
        lasts: bool,
        wanted: Order,
        in_force: Mapping[str, float],
    ) -> None:
        self.lasts = lasts and role.covers(Role.ADMIN)
        layer = wanted.lasting if self.lasts else wanted.tuned
        super().__init__(data, initial={"revision": wanted.revision, **layer})
        self.may_last = role.covers(Role.ADMIN)
        self.wanted = wanted
        self.in_force = in_force
        for name in self.names:
            self.fields[name] = forms.FloatField(required=False)
        if self.lasts:
            ends: Any = self.fields["for_s"]
            ends.choices, ends.initial = [LASTING], LASTING[0]

    def clean_for_s(self) -> float | None:
        """Nothing chosen means "until changed" only where that was on offer and sent."""
        found: float | None = self.cleaned_data["for_s"]
        if found is None and "for_s" not in self.data:
            return float(bounds.DEFAULT_S)
        return found

    @property
    def settings(self) -> dict[str, float]:
        given = {name: self.cleaned_data.get(name) for name in self.names}
        return {name: value for name, value in given.items() if value is not None}

    def rows(self) -> list[dict[str, Any]]:
        """Each number: its field, its bounds in words, and what is in force now."""
        return [
            {
                "name": name,
                "field": self[name],
                "now": self.in_force.get(name),
                "empty": self._empty(name),
                **self.said(name),
            }
            for name in self.names
        ]

    def _empty(self, name: str) -> str:
        """What is in force where the field is left empty."""
        wanted = self.wanted
        if self.lasts and name in wanted.tuned:
            until = f", until {wanted.tuned_until:%H:%M:%S}" if wanted.tuned_until else ""
            return f"{wanted.tuned[name]:.12g}{until}"
        if not self.lasts and name in wanted.lasting:
            return f"{wanted.lasting[name]:.12g}, lasting"
        return "as configured"

    def said(self, name: str) -> dict[str, Any]:
        raise NotImplementedError


def unit_of(threshold: str) -> str:
    """In which a threshold is told; a share of 1 needs none."""
    unit = THRESHOLDS[threshold].unit if threshold in THRESHOLDS else ""
    return "" if unit == "of 1" else unit


class TuneForm(_NumbersForm):
    names = tuple(THRESHOLDS)

    def said(self, name: str) -> dict[str, Any]:
        bound = THRESHOLDS[name]
        return {"low": bound.low, "high": bound.high, "unit": unit_of(name), "text": bound.text}


class ResizeForm(_NumbersForm):
    names = tuple(bounds.SIZES)

    def said(self, name: str) -> dict[str, Any]:
        low, high, unit, text = bounds.SIZES[name]
        return {"low": low, "high": high, "unit": unit, "text": text}
