"""One flag as it stands, whoever read it: a worker's SQL, a page, or a file's parser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from console.flags.models import Flag

BASELINE: Final = 0
EVERYWHERE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagState:
    """The columns of `console.flags.models.Flag` that decide, or that an export carries."""

    key: str
    title: str = ""
    description: str = ""
    type: str = "string"
    enabled: bool = True
    # {variant: value}, the baseline first.
    variants: Mapping[str, Any]
    baseline: str
    target: str
    rest: str
    stage: int = 0
    unit: str = "item"
    units: Sequence[str] = ()
    slot_s: int = 60
    fleet: str = ""
    layer: str = ""
    requires: Sequence[Mapping[str, str]] = ()
    bake_s: Mapping[str, int] = field(default_factory=dict)
    targeting: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    builtin: bool = False
    wired: bool = False
    revision: int = 0

    @classmethod
    def of(cls, flag: Flag) -> "FlagState":
        return cls(**{name: getattr(flag, name) for name in NAMES})


NAMES: Final = tuple(column.name for column in fields(FlagState))
