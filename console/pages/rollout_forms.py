"""The forms behind acts on a guarded rollout: what is ramped, how fast, under which guards."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.http import QueryDict

from console.flags.models import Flag
from console.flags.standing import ALL, Standing
from console.pages.act_forms import ActForm
from console.roadmap.gates.judged import Judged
from console.rollouts import bounds

# What one unit of a guard is written in: percent of what it is, or points of percent.
_PERCENT: Final = 100.0
_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "error_share": ("Failed, points more", "of all: 1 lets 0.2 % become 1.2 %"),
    "mean_s": ("Mean time, % more", "of what it is for the untreated"),
    "p95_s": ("95th percentile, % more", "of what it is for the untreated"),
}


class TargetForm(ActForm):
    """Which variant; what may be wanted the act judges."""

    target = forms.CharField(required=False, max_length=60)

    def __init__(
        self, data: QueryDict | None, *, flag: Flag, asked: QueryDict, target: str, **initial: Any
    ) -> None:
        given = {
            "revision": flag.revision,
            "target": asked.get("target") or target,
            "reason": asked.get("reason", ""),
        }
        super().__init__(data, initial={**given, **initial})
        self.variants = sorted(name for name in flag.variants if name != flag.baseline)

    @property
    def wanted_target(self) -> str:
        return str(self["target"].value() or "").replace("\x00", "")


class RampForm(TargetForm):
    """Stages in percent, seconds of bake, and a guard that is left empty guards nothing."""

    stages = forms.CharField(required=False, max_length=120)
    bake_s = forms.IntegerField(
        required=False, error_messages={"invalid": "Give a whole number of seconds."}
    )
    least_units = forms.IntegerField(
        required=False, error_messages={"invalid": "Give a whole number of units."}
    )
    gates = forms.MultipleChoiceField(required=False)

    def __init__(
        self,
        data: QueryDict | None,
        *,
        flag: Flag,
        asked: QueryDict,
        target: str,
        gates: Sequence[Judged],
    ) -> None:
        given = {name: asked.get(name) or value for name, value in _begun(flag).items()}
        initial = {**given, "gates": asked.getlist("gates")}
        super().__init__(data, flag=flag, asked=asked, target=target, **initial)
        for name, (title, _) in _TITLES.items():
            self.fields[name] = forms.FloatField(
                required=False,
                min_value=0,
                max_value=1_000,
                label=title,
                error_messages={"invalid": "Give a number of percent."},
            )
        choices: Any = self.fields["gates"]
        choices.choices = [(each.id, each.title) for each in gates]
        self.offered = gates

    @property
    def chosen_gates(self) -> list[str]:
        return list(self["gates"].value() or [])

    def guard_rows(self) -> list[tuple[Any, str]]:
        return [(self[name], hint) for name, (_, hint) in _TITLES.items()]

    @property
    def stage_list(self) -> list[object]:
        """As they were typed: what is no percent stays a word, for the act to refuse."""
        words = str(self["stages"].value() or "").replace(",", " ").replace("%", " ").split()
        return [int(word) if _is_percent(word) else word for word in words]

    def wanted(self) -> dict[str, Any]:
        """Of a valid form."""
        given = {name: self.cleaned_data.get(name) for name in _TITLES}
        guarded = {name: most for name, most in given.items() if most is not None}
        return {
            "stages": self.stage_list,
            "bake_s": self.cleaned_data["bake_s"],
            "least_units": self.cleaned_data["least_units"],
            "guards": [{"metric": name, "most": most / _PERCENT} for name, most in guarded.items()],
            "gates": self.cleaned_data["gates"],
        }


def _is_percent(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= len(str(ALL))


def _begun(flag: Flag) -> dict[str, Any]:
    """What a form begins with."""
    stands = Standing.of(flag)
    above = 0 if stands.everyone is not None else stands.stage
    left = [stage for stage in bounds.STAGES if stage > above] or [ALL]
    return {
        "stages": " ".join(map(str, left)),
        "bake_s": bounds.BAKE_S,
        "least_units": bounds.LEAST_UNITS,
        **{guard.metric: f"{_PERCENT * guard.most:g}" for guard in bounds.GUARDS},
    }
