"""Collects the checks of one item and settles what they amount to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from validation.rpc.answers import Unreadable
from validation.validators.catalogue import CHECKS
from validation.validators.outcome import BlockRef, Caught, Check, Status, Verdict
from validation.validators.timeline import Timeline

_DETAIL_LIMIT = 400
_HIGHEST = 2**63 - 1
_EVIDENCE = 3
"""From this level on more is asked than the item itself."""
_NEVER: Final = frozenset({""})
_PASSED = {name: Check(name, Status.PASS) for name in CHECKS}


class Ending(NamedTuple):
    """Why an item got no further: what settles it before its checks do."""

    verdict: Verdict
    reason: str
    level: int = 0


class Flaw(NamedTuple):
    """What is wrong with something, and what was compared."""

    detail: str
    computed: str = ""
    claimed: str = ""


def mismatch(computed: object, claimed: object, what: str = "") -> Flaw:
    """`what` names the thing where the check's own name does not."""
    lead = f"{what}: " if what else ""
    return Flaw(f"{lead}computed {computed}, the node says {claimed}", str(computed), str(claimed))


class Findings:
    """The checks of one item, in the order they were made.

    `node` gave the item, and is blamed for a check that fails unless another is named. `accuses`:
    the chain's rules are known here, so that an honest node fails no check. `earned_by`: the checks
    that must have been made for each level that takes evidence. `timeline`, where the
    validation is to explain itself, takes the time of each check; what was compared then stands
    with those that passed too.
    """

    __slots__ = (
        "_accuses",
        "_checks",
        "_earned_by",
        "_failed",
        "_skipped",
        "block",
        "caught",
        "explain",
        "node",
        "timeline",
    )

    def __init__(
        self,
        *,
        accuses: bool = False,
        earned_by: Mapping[int, frozenset[str]] = MappingProxyType({}),
        timeline: Timeline | None = None,
    ) -> None:
        self.block: BlockRef | None = None
        """The block that the node says the item is in, or is."""
        self.caught: list[Caught] = []
        self.explain = timeline is not None
        self.node = ""
        self.timeline = timeline
        self._accuses = accuses
        self._earned_by = earned_by
        self._checks: list[Check] = []
        self._failed: str = ""
        self._skipped: list[tuple[int, str]] = []

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(self._checks)

    @property
    def reason_to_skip(self) -> str:
        """The reason of the first skip, empty where nothing was skipped."""
        return self._skipped[0][1] if self._skipped else ""

    @property
    def doubt(self) -> str:
        """The name of the first check that failed, else the reason of the first skip."""
        return self._failed or self.reason_to_skip

    @property
    def failed(self) -> str:
        """The name of the first check that failed, or an empty text."""
        return self._failed

    def stands_in(self, number: object, block_hash: object) -> None:
        """Tie the item to a block, where the node names both its number and its hash.

        No chain gets as far as 2⁶³, and no table takes more: such a number ties to nothing.
        """
        if isinstance(number, str) and isinstance(block_hash, str):
            height = int(number, 16)
            if height <= _HIGHEST:
                self.block = BlockRef(number=height, hash=block_hash.lower())

    def passed(self, name: str, detail: str = "") -> None:
        self._add(Check(name, Status.PASS, detail) if detail else _PASSED[name])

    def fail(
        self,
        name: str,
        detail: str,
        *,
        computed: object = "",
        claimed: object = "",
        node: str | None = "",
    ) -> None:
        """`node`: who is to blame; empty: who gave the item; None: nobody."""
        detail = detail[:_DETAIL_LIMIT]
        self._add(Check(name, Status.FAIL, detail, _brief(computed), _brief(claimed)))
        self._failed = self._failed or name
        blamed = self.node if node == "" else node
        if blamed and CHECKS[name].accuses(rules_known=self._accuses):
            self.caught.append(Caught(node=blamed, check=name, detail=detail))

    def skip(self, name: str, reason: str, detail: str) -> None:
        self._add(Check(name, Status.SKIP, detail[:_DETAIL_LIMIT]))
        self._skipped.append((CHECKS[name].level, reason))

    def settle(self, name: str, flaw: Flaw | str | None, *, node: str | None = "") -> None:
        """Pass where there is no flaw, fail with it otherwise."""
        if not flaw:
            self._add(_PASSED[name])
        elif isinstance(flaw, str):
            self.fail(name, flaw, node=node)
        else:
            self.fail(name, flaw.detail, computed=flaw.computed, claimed=flaw.claimed, node=node)

    def match(self, name: str, *, computed: object, claimed: object, node: str | None = "") -> None:
        if computed != claimed:
            self.settle(name, mismatch(computed, claimed), node=node)
        elif self.explain:
            self._add(Check(name, Status.PASS, "", _brief(computed), _brief(claimed)))
        else:
            self._add(_PASSED[name])

    def known_fields(self, unknown: tuple[str, ...]) -> None:
        if unknown:
            names = ", ".join(unknown)
            self.skip("known_fields", "unknown_field", f"nothing here can verify {names}")
        else:
            self._add(_PASSED["known_fields"])

    def malformed(self, *answers: object) -> Ending | None:
        """Settle `well_formed`; what is not well-formed is the node's error, no verdict."""
        for answer in answers:
            if type(answer) is Unreadable:
                self._add(Check("well_formed", Status.FAIL, answer.detail[:_DETAIL_LIMIT]))
                return Ending(Verdict.ERROR, "malformed_answer")
        return None

    def verdict(self, *, asked: int, worked: int) -> tuple[Verdict, int, str]:
        """The verdict, the level reached and the reason, of checks made up to level `worked`."""
        if self._failed:
            info = CHECKS[self._failed]
            return Verdict.INVALID, max(info.level - 1, 0), info.reason
        # A skipped check lets the item climb to just below the level that it belongs to.
        reached = min([self._highest_worked(worked), *(level - 1 for level, _ in self._skipped)])
        if reached >= asked:
            return Verdict.VALID, reached, "ok"
        return Verdict.UNVERIFIABLE, reached, self.reason_to_skip or "level_not_reached"

    def _highest_worked(self, worked: int) -> int:
        """The levels that take evidence beyond the item are earned by their own checks: where one
        was not made, whatever the reason, the level is not reached.
        """
        if worked < _EVIDENCE:
            return worked
        made = {check.name for check in self._checks}
        levels = range(_EVIDENCE, worked + 1)
        missing = (level for level in levels if not self._earned_by.get(level, _NEVER) <= made)
        return next(missing, worked + 1) - 1

    def _add(self, check: Check) -> None:
        self._checks.append(check)
        if self.timeline is not None:
            self.timeline.checked(check.name)


def _brief(compared: object) -> str:
    return str(compared)[:_DETAIL_LIMIT]
