"""The forms behind the acts on flags: a stage, a plan, a freeze, a definition."""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django import forms
from django.http import QueryDict

from console.controls import Refused
from console.flags import clock, flagd_file
from console.flags.bounds import STAGES
from console.flags.models import Flag, Unit
from console.pages.act_forms import ActForm

FREEZES = (
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "24 hours"),
    ("259200", "3 days"),
    ("1209600", "14 days"),
)
_LONGEST_DEFINITION = 1_000_000


class StageForm(ActForm):
    """To which stage, of what, and what the others get. What may be wanted the acts judge."""

    stage = forms.IntegerField(error_messages={"invalid": "Give a whole percent from 0 to 100."})
    target = forms.CharField(required=False, max_length=60)
    rest = forms.CharField(required=False, max_length=60)
    unit = forms.CharField(required=False, max_length=9)
    unrehearsed = forms.BooleanField(required=False)

    def __init__(
        self, data: QueryDict | None, *, flag: Flag, asked: QueryDict, may_go_without: bool
    ) -> None:
        super().__init__(data, initial=initial_of(flag, asked))
        self.may_go_without = may_go_without
        if not may_go_without:
            self.initial["unrehearsed"] = False
        # jsonb keeps no order: the baseline first, then as a person looks for them.
        self.variants = sorted(flag.variants, key=lambda name: (name != flag.baseline, name))
        self.units = [(name, Unit(name).label) for name in flag.units if name in Unit.values]

    def chosen(self) -> dict[str, Any]:
        """What is sent, or what the form begins with; None for what is left as it is."""
        bound = self.cleaned_data if self.is_bound else self.initial
        given = {name: bound.get(name) or None for name in ("target", "rest", "unit")}
        without = bool(bound.get("unrehearsed"))
        return {"stage": bound.get("stage"), "unrehearsed": without, **given}

    def without_drill(self) -> dict[str, Any]:
        """What asks for the same without a drill; empty where that is not theirs to decide."""
        if not self.may_go_without:
            return {}
        chosen = {name: value for name, value in self.chosen().items() if value is not None}
        return chosen | {"unrehearsed": "on"}


def initial_of(flag: Flag, asked: QueryDict) -> dict[str, Any]:
    """As the address asks; of another target the others keep what most of them have now."""
    target = asked.get("target") or flag.target
    stage = asked.get("stage", "")
    holds = flag.target if flag.stage > 50 else flag.rest  # noqa: PLR2004 - more than half
    rest = asked.get("rest") or (flag.rest if target == flag.target else holds)
    return {
        "revision": flag.revision,
        "stage": int(stage) if stage.isdecimal() and len(stage) < 4 else flag.stage,  # noqa: PLR2004 - percent
        "target": target,
        "rest": rest if rest != target else flag.baseline,
        "unit": asked.get("unit") or flag.unit,
        "unrehearsed": asked.get("unrehearsed") == "on",
        # What was typed already, where the dialog only asks what another stage would reach.
        "reason": asked.get("reason", ""),
    }


class PlanForm(ActForm):
    """Minutes from now at which each stage is set; what is left empty is skipped."""

    def __init__(self, data: QueryDict | None, *, flag: Flag, baked_at: datetime) -> None:
        self.stages = [stage for stage in STAGES if stage > flag.stage]
        initial = {"revision": flag.revision, **_by_bake_times(flag, baked_at)}
        super().__init__(data, initial=initial)
        for stage in self.stages:
            self.fields[f"after_{stage}"] = forms.FloatField(
                required=False, min_value=0, error_messages={"invalid": "Give minutes from now."}
            )

    def rows(self) -> list[tuple[int, Any]]:
        return [(stage, self[f"after_{stage}"]) for stage in self.stages]

    def steps(self, now: datetime) -> list[tuple[datetime, int]]:
        given = [(self.cleaned_data.get(f"after_{stage}"), stage) for stage in self.stages]
        return [(now + timedelta(minutes=at), stage) for at, stage in given if at is not None]


def _by_bake_times(flag: Flag, baked_at: datetime) -> dict[str, str]:
    """Each as soon as the one before has baked, the stage that holds as well; in minutes."""
    at_s, found = max((baked_at - clock.now()).total_seconds(), 0.0), {}
    for stage in STAGES:
        if stage > flag.stage:
            found[f"after_{stage}"] = f"{ceil(at_s / 6) / 10:.12g}"
            at_s += flag.bake_s.get(str(stage), 0)
    return found


class FreezeForm(ActForm):
    for_s = forms.TypedChoiceField(choices=FREEZES, coerce=float, initial="14400")


class DefinitionForm(ActForm):
    """A flag's key and its definition in flagd's format."""

    key = forms.CharField(required=False, strip=True, max_length=100)
    definition = forms.CharField(required=False, max_length=_LONGEST_DEFINITION)


class ImportForm(ActForm):
    """A flagd document, as a file or as text."""

    file = forms.FileField(required=False, allow_empty_file=True)
    definition = forms.CharField(required=False)

    def document(self) -> str:
        """Raises Refused for a file that is no text, or larger than is read."""
        upload = self.cleaned_data.get("file")
        if upload is None:
            return str(self.cleaned_data["definition"])
        if upload.size > flagd_file.LARGEST:
            expected = f"one of at most {flagd_file.LARGEST} bytes"
            raise Refused("file", f"{upload.size} bytes", expected)
        return flagd_file.text_of(upload.read())


class DeleteForm(ActForm):
    confirm = forms.CharField(required=False, strip=True, max_length=160)
