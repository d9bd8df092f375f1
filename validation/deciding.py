"""Asks OpenFeature for every flag of the engine once a turn of the worker, and keeps the answers.

A flag that a stage splits among items is split here, by the bucket that flagd would find for the
item's key: what was decided is kept for a chunk, and an item costs a hash.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import psycopg
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from openfeature.provider.no_op_provider import PASSED_IN_DEFAULT

from monitoring.instruments import FLAG_EVALUATIONS
from validation.flags import DOMAIN, OF_ITEMS, OF_PROCESSES, FlagKey
from validation.item_variants import PERCENT, ItemPlan, Share, Split, Whole
from validation.slots import Standing, rank

# What is told as the variant where no flag could be read and the code's default holds.
DEFAULT: Final = "default"
_ITEM: Final = "item"


class FlagSource(Protocol):
    """Where the flags of a process come from: `settings.FLAG_SOURCE` names what makes one."""

    @property
    def revision(self) -> int:
        """Of what is evaluated now; 0: nothing is known."""

    @property
    def is_timed(self) -> bool:
        """Whether some flag depends on the time: then it is asked at each turn."""

    def start(self) -> None:
        """After the fork: reads the last known good, and registers its provider."""

    def refresh(self, connection: psycopg.Connection[Any]) -> bool:
        """True where something changed. Raises psycopg's errors; what was known holds then."""

    def stop(self) -> None: ...


class NoFlags:
    """Of a process that is given no source: the code's defaults hold."""

    revision = 0
    is_timed = False

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
    """All flags of the engine, by key, as one process has them. Without any, each is as the code
    says. A flag that is split among items has no variant; its value tells the split.
    """

    of: Mapping[str, Decision] = field(default_factory=dict)
    items: ItemPlan = field(default_factory=ItemPlan)
    # Of the flags that they were made by; 0: none could be read.
    revision: int = 0

    def value[T: (str, int)](self, flag: FlagKey[T]) -> T:
        """Of a flag of processes."""
        decision = self.of.get(flag.key)
        return flag.default if decision is None else type(flag.default)(decision.value)


class Decider:
    """Asks for a process of `fleet`. Not for two threads at once."""

    def __init__(self, *, fleet: str = "worker") -> None:
        self._fleet = fleet
        self._client: OpenFeatureClient = api.get_client(DOMAIN)
        # Units decided, by flag and variant, since the process started.
        self.evaluations: dict[str, Counter[str]] = {}

    def decide(self, standing: Standing | None, revision: int = 0) -> Decisions:
        """`standing` None: the process has no number yet, and counts as beyond each stage."""
        found: dict[str, Decision] = {}
        for flag in OF_PROCESSES:
            details = self._details(flag, self._context(flag.key, standing))
            decision = _decision(flag, details)
            self._count(flag.key, {decision.variant: 1})
            found[flag.key] = decision
        shares: dict[str, Share] = {}
        for item_flag in OF_ITEMS:
            # Some key: flagd complains of a split without one, and that is made here anyway.
            context = self._context(item_flag.key, standing, targeting_key=_ITEM)
            details = self._details(item_flag, context)
            shares[item_flag.key] = share = _share(item_flag, details)
            found[item_flag.key] = _decision(item_flag, details, share)
        items = ItemPlan(of=shares, count=self._count)
        return Decisions(of=found, items=items, revision=revision)

    def count_again(self, decisions: Decisions) -> None:
        """The units of a turn in which nothing was asked again: they are as decided before."""
        for flag in OF_PROCESSES:
            self._count(flag.key, {decisions.of[flag.key].variant: 1})

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
        for variant, count in counts.items():
            FLAG_EVALUATIONS.labels(key, variant).inc(count)


def _decision(
    flag: FlagKey[Any], details: FlagEvaluationDetails[Any], share: Share | None = None
) -> Decision:
    variant = details.variant
    if not variant or variant == PASSED_IN_DEFAULT:
        variant = DEFAULT  # no flag of that name, one that is off, or no provider at all
    reason = str(details.reason or Reason.UNKNOWN)
    if share is not None and len(share.variants) > 1:
        return Decision(key=flag.key, variant="", value=str(share), reason=reason)
    return Decision(key=flag.key, variant=variant, value=details.value, reason=reason)


def _share(flag: FlagKey[str], details: FlagEvaluationDetails[Any]) -> Share:
    """A stage that splits items is told by the flag itself, in its metadata; one that matched
    nothing is held at 0, whatever its stage.
    """
    told: Mapping[str, Any] = details.flag_metadata or {}
    stage = told.get("stage")
    is_split = told.get("unit") == _ITEM and details.reason == Reason.TARGETING_MATCH
    if is_split and isinstance(stage, int) and 0 < stage < PERCENT:
        return Split(flag.key, stage=stage, target=str(told["target"]), rest=str(told["rest"]))
    return Whole(str(details.value))
