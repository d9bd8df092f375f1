"""How a flag stands: what of it an act changes, an audit entry tells, and taking back restores."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from console.flags.models import Flag

ALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Units within `stage` percent get `target`, the others `rest`."""

    target: str
    rest: str
    stage: int
    unit: str
    enabled: bool

    @classmethod
    def of(cls, flag: Flag) -> Self:
        return cls(
            target=flag.target,
            rest=flag.rest,
            stage=flag.stage,
            unit=str(flag.unit),
            enabled=flag.enabled,
        )

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(**{name: told[name] for name in cls.__slots__})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def write(self, flag: Flag) -> None:
        for name, value in asdict(self).items():
            setattr(flag, name, value)

    @property
    def everyone(self) -> str | None:
        """The variant that all units have; None while a stage splits them."""
        if self.stage == 0:
            return self.rest
        return self.target if self.stage == ALL or self.target == self.rest else None

    @property
    def words(self) -> str:
        if not self.enabled:
            return "off"
        one = self.everyone
        return one if one is not None else f"{self.target} on {self.stage} %, {self.rest} else"

    def share(self, variant: str) -> int:
        """Percent of the units that have it."""
        of_target = self.stage if variant == self.target else 0
        return of_target + (ALL - self.stage if variant == self.rest else 0)

    def raises(self, before: "Standing", baseline: str) -> bool:
        """Whether it is more than lowering. Lowering gives a unit nothing but the baseline, or what
        units beyond the stage had already.
        """
        one = self.everyone
        rests = before.rest if before.share(before.rest) else None
        if one is not None:
            return one not in {baseline, before.everyone, rests}
        if self.rest not in {baseline, rests} and before.everyone != self.rest:
            return True
        if before.everyone == self.target or (
            before.everyone == self.rest and self.target == baseline
        ):
            return False
        same = (self.target, self.unit) == (before.target, before.unit)
        return not same or self.stage > before.stage

    def brings(self, before: "Standing", baseline: str) -> bool:
        """Whether it changes nothing for any unit, and names a variant for later that none has."""
        if self.everyone is None or self.everyone != before.everyone:
            return False
        named = {self.target, self.rest} - {before.target, before.rest, baseline}
        return any(not before.share(variant) for variant in named)
