"""Asks OpenFeature for every flag of the engine once a unit, and keeps what was decided.

Of a process at each turn of its worker; of items once a chunk: a flag that a stage splits among
them is split here, by the bucket that flagd would find for the item's key.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import mmh3
import psycopg
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from openfeature.provider.no_op_provider import PASSED_IN_DEFAULT

from validation.flags import DOMAIN, OF_ITEMS, OF_PROCESSES, FlagKey
from validation.slots import Standing, rank

# What is told as the variant where no flag could be read and the code's default holds.
DEFAULT: Final = "default"
_ITEM: Final = "item"
_PERCENT: Final = 100


class FlagSource(Protocol):
    """Where the flags of a process come from: `settings.FLAG_SOURCE` names what makes one."""

    @property
    def revision(self) -> int:
        """Of what is evaluated now; 0: nothing is known."""

    def start(self) -> None:
        """After the fork: reads the last known good, and registers its provider."""

    def refresh(self, connection: psycopg.Connection[Any]) -> bool:
        """True where something changed. Raises psycopg's errors; what was known holds then."""

    def stop(self) -> None: ...


class NoFlags:
    """Of a process that is given no source: the code's defaults hold."""

    revision = 0

    def start(self) -> None:
        return

    def refresh(self, connection: psycopg.Connection[Any]) -> bool:
        del connection
        return False

    def stop(self) -> None:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one flag is for a unit. `variant` is `DEFAULT` where the code's default holds."""

    key: str
    variant: str
    value: str | int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Of a process, by key. Without any, each flag is as the code says."""

    of: Mapping[str, Decision] = field(default_factory=dict)
    # Of the flags that they were made by; 0: none could be read.
    revision: int = 0

    def value[T: (str, int)](self, flag: FlagKey[T]) -> T:
        decision = self.of.get(flag.key)
        return flag.default if decision is None else type(flag.default)(decision.value)


class Share(Protocol):
    """Which variant of one flag an item has, by its key."""

    def variant_of(self, subject: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """All items alike."""

    variant: str

    def variant_of(self, subject: str) -> str:
        del subject
        return self.variant


class Split:
    """The target for `stage` of a hundred items, by hash; the rest for the others.

    As flagd's `fractional` does: the Murmur3 hash of CBOR's [flag key, targeting key].
    """

    __slots__ = ("_prefix", "_rest", "_stage", "_target")

    def __init__(self, key: str, *, stage: int, target: str, rest: str) -> None:
        self._prefix = b"\x82" + _cbor_text(key)
        self._stage, self._target, self._rest = stage, target, rest

    def variant_of(self, subject: str) -> str:
        bucket = mmh3.hash(self._prefix + _cbor_text(subject), 0, False) * _PERCENT >> 32
        return self._target if bucket < self._stage else self._rest


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """Decided once a chunk, and frozen for it."""

    of: Mapping[str, Share] = field(default_factory=dict)
    # Told once a chunk, by whoever counted how many items had which variant.
    count: Callable[[str, Mapping[str, int]], None] = lambda _key, _counts: None

    def variant_of(self, flag: FlagKey[str], subject: str) -> str:
        share = self.of.get(flag.key)
        return flag.default if share is None else share.variant_of(subject)

    def share(self, flag: FlagKey[str]) -> Share:
        return self.of.get(flag.key, Whole(flag.default))


class Decider:
    """Asks for a process of `fleet`. Not for two threads at once, but `plan` may run beside."""

    def __init__(self, *, fleet: str = "worker") -> None:
        self._fleet = fleet
        self._client: OpenFeatureClient = api.get_client(DOMAIN)
        # Units decided, by flag and variant, since the process started.
        self.evaluations: dict[str, Counter[str]] = {}

    def decide(self, standing: Standing | None, revision: int = 0) -> Decisions:
        """Every flag of a process; `standing` None: it has no number yet."""
        found = {}
        for flag in OF_PROCESSES:
            details = self._details(flag, self._context(flag.key, standing))
            decision = _decision(flag, details)
            self._count(flag.key, {decision.variant: 1})
            found[flag.key] = decision
        return Decisions(of=found, revision=revision)

    def plan(self, standing: Standing | None = None) -> ItemPlan:
        """Every flag of items, for one chunk."""
        shares = {}
        for flag in OF_ITEMS:
            # Some key: flagd complains of a split without one, and that is made here anyway.
            context = self._context(flag.key, standing, targeting_key=_ITEM)
            shares[flag.key] = _share(flag, self._details(flag, context))
        return ItemPlan(of=shares, count=self._count)

    def _context(
        self, key: str, standing: Standing | None, *, targeting_key: str | None = None
    ) -> EvaluationContext:
        attributes: dict[str, Any] = {"fleet": self._fleet}
        if standing is not None:
            attributes["rank"] = rank(key, standing.number, standing.living)
            attributes["processes"] = len(standing.living)
        return EvaluationContext(targeting_key, attributes)

    def _details(
        self, flag: FlagKey[str] | FlagKey[int], context: EvaluationContext
    ) -> FlagEvaluationDetails[Any]:
        if isinstance(flag.default, int):
            return self._client.get_integer_details(flag.key, flag.default, context)
        return self._client.get_string_details(flag.key, flag.default, context)

    def _count(self, key: str, counts: Mapping[str, int]) -> None:
        self.evaluations.setdefault(key, Counter()).update(counts)


def _decision(flag: FlagKey[Any], details: FlagEvaluationDetails[Any]) -> Decision:
    reason = str(details.reason or "UNKNOWN")
    variant = details.variant
    if not variant or variant == PASSED_IN_DEFAULT:
        variant = DEFAULT  # no flag of that name, one that is off, or no provider at all
    return Decision(key=flag.key, variant=variant, value=details.value, reason=reason)


def _share(flag: FlagKey[str], details: FlagEvaluationDetails[Any]) -> Share:
    """A stage that splits items is told by the flag itself, in its metadata; one that matched
    nothing is held at 0, whatever its stage.
    """
    told: Mapping[str, Any] = details.flag_metadata or {}
    stage = told.get("stage")
    is_split = told.get("unit") == _ITEM and details.reason == Reason.TARGETING_MATCH
    if is_split and isinstance(stage, int) and 0 < stage < _PERCENT:
        return Split(flag.key, stage=stage, target=str(told["target"]), rest=str(told["rest"]))
    return Whole(str(details.value))


def _cbor_text(text: str) -> bytes:
    body = text.encode()
    size = len(body)
    if size < 24:  # noqa: PLR2004 - what fits into the first byte
        return bytes((0x60 + size,)) + body
    if size < 256:  # noqa: PLR2004 - one byte of length
        return bytes((0x78, size)) + body
    return b"\x79" + size.to_bytes(2) + body
