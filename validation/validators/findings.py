"""Collects the checks of one item and settles what they amount to."""

from typing import NamedTuple

from validation.rpc.answers import Unreadable
from validation.validators.catalogue import CHECKS
from validation.validators.outcome import BlockRef, Check, Status, Verdict

_DETAIL_LIMIT = 400
_HIGHEST = 2**63 - 1
_PASSED = {name: Check(name, Status.PASS) for name in CHECKS}


class Ending(NamedTuple):
    """Why an item got no further: what settles it before its checks do."""

    verdict: Verdict
    reason: str


class Findings:
    """The checks of one item, in the order they were made."""

    __slots__ = ("_checks", "_failed", "_skipped", "block")

    def __init__(self) -> None:
        self.block: BlockRef | None = None
        """The block that the node says the item is in, or is."""
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
        self._checks.append(Check(name, Status.PASS, detail) if detail else _PASSED[name])

    def fail(self, name: str, detail: str) -> None:
        self._checks.append(Check(name, Status.FAIL, detail[:_DETAIL_LIMIT]))
        self._failed = self._failed or name

    def skip(self, name: str, reason: str, detail: str) -> None:
        self._checks.append(Check(name, Status.SKIP, detail[:_DETAIL_LIMIT]))
        self._skipped.append((CHECKS[name].level, reason))

    def settle(self, name: str, flaw: str) -> None:
        """Pass where there is no flaw, fail with it otherwise."""
        if flaw:
            self.fail(name, flaw)
        else:
            self._checks.append(_PASSED[name])

    def match(self, name: str, *, computed: object, claimed: object) -> None:
        if computed == claimed:
            self._checks.append(_PASSED[name])
        else:
            self.fail(name, f"computed {computed}, the node says {claimed}")

    def known_fields(self, unknown: tuple[str, ...]) -> None:
        if unknown:
            names = ", ".join(unknown)
            self.skip("known_fields", "unknown_field", f"nothing here can verify {names}")
        else:
            self._checks.append(_PASSED["known_fields"])

    def malformed(self, *answers: object) -> Ending | None:
        """Settle `well_formed`; what is not well-formed is the node's error, no verdict."""
        for answer in answers:
            if type(answer) is Unreadable:
                self._checks.append(
                    Check("well_formed", Status.FAIL, answer.detail[:_DETAIL_LIMIT])
                )
                return Ending(Verdict.ERROR, "malformed_answer")
        return None

    def verdict(self, *, asked: int, worked: int) -> tuple[Verdict, int, str]:
        """The verdict, the level reached and the reason, of checks made up to level `worked`."""
        if self._failed:
            info = CHECKS[self._failed]
            return Verdict.INVALID, max(info.level - 1, 0), info.reason
        # A skipped check lets the item climb to just below the level that it belongs to.
        reached = min([worked, *(level - 1 for level, _ in self._skipped)])
        if reached >= asked:
            return Verdict.VALID, reached, "ok"
        return Verdict.UNVERIFIABLE, reached, self.reason_to_skip or "level_not_reached"
