"""The forms behind what is done about alerts: why, what is covered, from when, for how long."""

from datetime import UTC, datetime
from typing import Any

from django import forms

from console.alerts import KINDS
from console.alerts.acts import GROUPS
from console.pages.act_forms import ActForm
from monitoring.alerts.catalogue import RULES

SPANS = (
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "24 hours"),
    ("604800", "7 days"),
)


EVERYTHING = "everything"


class SilenceForm(ActForm):
    """`covers` is one field of three kinds: "rule:db.pool_used", "group:cache", or EVERYTHING."""

    wholes = (
        ("", "Choose a group or a rule"),
        (EVERYTHING, "Everything (maintenance only, by an admin)"),
    )
    parts = (
        ("Groups", [(f"group:{name}", f"All of {name}") for name in GROUPS]),
        ("Rules", [(f"rule:{key}", key) for key in sorted(RULES)]),
    )
    kind = forms.ChoiceField(
        choices=[(kind, kind.capitalize()) for kind in KINDS], initial="silence", required=False
    )
    covers = forms.ChoiceField(required=False, initial="")
    subject = forms.CharField(required=False, strip=True)
    begins_at = forms.CharField(required=False, strip=True, max_length=40)
    for_s = forms.TypedChoiceField(choices=SPANS, coerce=float, initial="3600")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        covers: Any = self.fields["covers"]
        covers.choices = [*self.wholes, *self.parts]

    def clean_begins_at(self) -> datetime | None:
        """As the browser's own field sends it, in UTC; empty is now."""
        text: str = self.cleaned_data["begins_at"]
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError as exc:
            raise forms.ValidationError(
                f"{text!r} is no time such as 2026-11-21T22:00 (UTC)."
            ) from exc
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def clean(self) -> dict[str, Any]:
        """In the words of the page: it has one field where the act has two."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        covers, kind = given.get("covers"), given.get("kind") or "silence"
        if covers == "":
            self.add_error("covers", "Choose the group or the rule that nobody is to be told of.")
        elif covers == EVERYTHING and kind == "silence":
            self.add_error(
                "covers",
                "A silence covers one group or one rule: choose it. For everything choose "
                "Maintenance, which an admin announces.",
            )
        return given

    def _part(self, name: str) -> str:
        kind, _, value = str(self.cleaned_data["covers"]).partition(":")
        return value if kind == name else ""

    @property
    def rule(self) -> str:
        return self._part("rule")

    @property
    def group(self) -> str:
        return self._part("group")
