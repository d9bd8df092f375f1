"""The claims: what an optimisation is said to bring, by which source, and how it is measured."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from console import roadmap
from console.flags.catalogue import BY_KEY
from console.roadmap.effects import LEAST_PAIRS, Direction, Scale

PATH: Final = Path(roadmap.__file__).parent / "data" / "claims.toml"

type Unit = Literal["item", "process", "time_slot"]


class Guard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure that may not become more by more than `most` of itself; less, where negative."""

    metric: str
    most: float


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`pairs` of each kind: baseline against treatment, and the baseline against itself."""

    pairs: int = 12


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expected` and `least` are ratios of change (−0.45: 45 % less) or, of scale "difference",
    differences; `least` without a sign. `expected` None: the source names no figure. `settings`
    are other flags' variants, the same in both arms. `workload` is its kind's own parameters.
    """

    key: str
    title: str
    optimisations: tuple[str, ...]
    flag: str
    baseline: str
    treatment: str
    metric: str
    direction: Direction
    least: float
    source: str
    says: str
    kind: str
    unit: Unit = "process"
    expected: float | None = None
    scale: Scale = "ratio"
    # What here differs from where the source made its claim.
    note: str = ""
    settings: dict[str, str] = {}
    node: dict[str, float | str] = {}
    workload: dict[str, Any] = {}
    plan: Plan = Plan()
    guards: tuple[Guard, ...] = ()

    def value_of(self, variant: str) -> str | int:
        value: str | int = BY_KEY[self.flag].variants[variant]
        return value


class Unmeasured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim that cannot be measured here, and why: it stays open."""

    key: str
    title: str
    optimisations: tuple[str, ...]
    source: str
    says: str
    why: str
    flag: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    claim: tuple[Claim, ...]
    unmeasured: tuple[Unmeasured, ...] = ()


class BadClaim(ValueError):
    """The file says what cannot be; names claim, field and value."""


@cache
def claims() -> Mapping[str, Claim]:
    """By key, in the file's order."""
    return {claim.key: claim for claim in _read().claim}


@cache
def unmeasured() -> tuple[Unmeasured, ...]:
    return _read().unmeasured


def of(name: str) -> tuple[Claim, ...]:
    """The claim of that key, or all of the optimisation or flag of that name."""
    known = claims()
    if name in known:
        return (known[name],)
    return tuple(each for each in known.values() if name in {*each.optimisations, each.flag})


def parse(text: str) -> _File:
    """Raises BadClaim."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as exc:
        raise BadClaim(str(exc)) from exc
    keys = [*(claim.key for claim in file.claim), *(each.key for each in file.unmeasured)]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise BadClaim(f"key: {min(twice)!r} is there twice")
    for claim in file.claim:
        _check(claim)
    return file


def _read() -> _File:
    return parse(PATH.read_text(encoding="utf-8"))


def _check(claim: Claim) -> None:
    for flag, variant in (
        (claim.flag, claim.baseline),
        (claim.flag, claim.treatment),
        *claim.settings.items(),
    ):
        if flag not in BY_KEY:
            raise BadClaim(f"{claim.key}: flag: there is none named {flag!r}")
        if variant not in BY_KEY[flag].variants:
            raise BadClaim(f"{claim.key}: {flag}: there is no variant {variant!r}")
    if claim.baseline == claim.treatment:
        raise BadClaim(f"{claim.key}: treatment: {claim.treatment!r} is the baseline")
    if claim.least <= 0:
        raise BadClaim(f"{claim.key}: least: must be above 0, not {claim.least}")
    if claim.plan.pairs < LEAST_PAIRS:
        raise BadClaim(f"{claim.key}: pairs: at least {LEAST_PAIRS}, not {claim.plan.pairs}")
    towards = -1 if claim.direction == "less" else 1
    if claim.expected is not None and claim.expected * towards < claim.least:
        raise BadClaim(
            f"{claim.key}: expected: {claim.expected} is not {claim.least} {claim.direction}"
        )
