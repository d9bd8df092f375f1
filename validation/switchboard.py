"""The toggles of one process: applies what was decided where it differs, and tells what holds."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from monitoring.arm_counts import ArmCounts
from validation.deciding import Decision, Decisions
from validation.engine import Engine
from validation.flags import OF_ITEMS
from validation.item_variants import VARIED, Drag, ItemPlan, Variants
from validation.said import Said
from validation.toggles import ITEM_VARIANTS, TOGGLES, Parts, Toggle
from validation.validators import Outcome, Verdict

log = structlog.get_logger(__name__)


class Switchboard:
    """On the loop's thread, except for what says otherwise."""

    def __init__(
        self,
        parts: Callable[[], Parts],
        toggles: Mapping[str, Toggle] = TOGGLES,
        item_variants: Mapping[str, Collection[str]] = ITEM_VARIANTS,
    ) -> None:
        self._parts = parts
        self._toggles = toggles
        self._item_variants = item_variants
        # By key: the value that was applied last.
        self._applied: dict[str, str | int] = {}
        self._refused: Mapping[str, str] = {}
        self._said = Said()
        self.items = ItemPlan()
        """Of the next chunk, with no variant in it that this release does not know."""
        self.arms = ArmCounts("worker")
        """What was done under which variants: told by whoever owns the process."""
        # Which variant of each flag of a process is in force: another object where one changed.
        self._processes: Mapping[str, str] = {}

    def has_news(self, decisions: Decisions) -> bool:
        """Whether `apply` would change anything, or try again. Any thread."""
        return bool(self._refused) or any(
            self._differs(decision) for decision in decisions.of.values()
        )

    def apply(self, decisions: Decisions) -> None:
        """One flag that cannot be applied keeps nobody from the others: it is refused, stays as it
        was, and is tried again the next time.
        """
        parts, refused = self._parts(), dict[str, str]()
        for key, decision in decisions.of.items():
            if not self._differs(decision):
                continue
            try:
                self._toggles[key].apply(parts, decision.value)
            except ValueError as error:
                refused[key] = str(error)
            except Exception as error:
                refused[key] = f"{type(error).__name__}: {error}"
                if self._said.is_news(key, (decision.value, refused[key])):
                    log.exception("flag.failed", flag=key, value=decision.value)
            else:
                self._applied[key] = decision.value
                self._said.is_over(key)
        self._refused = refused

    def take(self, decisions: Decisions) -> Mapping[str, str]:
        """Has the items of the next chunk be split as decided. What of all that was decided is not
        in force, by key, with the reason. One thread at a time, any.
        """
        shares, refused = {}, dict[str, str]()
        for flag in OF_ITEMS:
            wanted, known = decisions.items.share(flag), self._item_variants[flag.key]
            shares[flag.key] = share = wanted.within(known, flag.default)
            if share is not wanted:
                # Of another release: its items are validated as this one does by itself.
                names = ", ".join(repr(name) for name in wanted.variants if name not in known)
                refused[flag.key] = f"there is none named {names}; one of {', '.join(known)}"
        self.items = ItemPlan(of=shares, count=decisions.items.count)
        processes = {
            key: decision.variant
            for key, decision in decisions.of.items()
            if key in self._toggles and key not in self._refused
        }
        if processes != self._processes:
            self._processes = processes
        self.arms.decide({**processes, **_whole(self.items)}, decisions.revision)
        return {**self._refused, **refused}

    def plan(self, drag: Drag | None = None) -> ItemPlan:
        """Of a chunk that begins now: its items count for what holds now."""
        return replace(self.items, done=partial(self._done, self._processes), drag=drag)

    def equip(self, engine: Engine) -> Engine:
        """One that was just made is as the others are."""
        for key, value in self._applied.items():
            self._toggles[key].equip(engine, value)
        return engine

    def in_force(self) -> dict[str, str]:
        """By key, as the parts say themselves; "" of one that cannot say. Any thread."""
        parts = self._parts()
        told = {key: self._told(key, toggle, parts) for key, toggle in self._toggles.items()}
        return told | {flag.key: str(self.items.share(flag)) for flag in OF_ITEMS}

    def _done(
        self, held: Mapping[str, str], variants: Variants, outcomes: Sequence[Outcome]
    ) -> None:
        """A flag of a process that changed meanwhile has done it with neither variant."""
        if (holds := self._processes) is not held:
            held = dict(held.items() & holds.items())
        self.arms.count(
            (*zip(VARIED, variants, strict=True), *held.items()),
            [outcome.ms / 1000 for outcome in outcomes],
            failed=[outcome.verdict for outcome in outcomes].count(Verdict.ERROR),
        )

    def _told(self, key: str, toggle: Toggle, parts: Parts) -> str:
        try:
            return toggle.in_force(parts)
        except Exception as error:
            # One that cannot say must not take all else with it that this process tells.
            if self._said.is_news(f"in force: {key}", error):
                log.exception("flag.not_told", flag=key)
            return ""

    def _differs(self, decision: Decision) -> bool:
        key = decision.key
        return key in self._toggles and self._applied.get(key) != decision.value


def _whole(plan: ItemPlan) -> dict[str, str]:
    """The variants of flags of items that no stage splits."""
    shares = {key: share.variants for key, share in plan.of.items()}
    return {key: variants[0] for key, variants in shares.items() if len(variants) == 1}
