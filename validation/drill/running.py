"""Tells every lie about every item and validates it at every level."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Self

from msgspec.structs import replace

from validation.checkpoint import Checkpoint
from validation.devnode.lies import LIES, Lie
from validation.drill.gathering import ACCOUNT_KINDS, SPECIAL_KINDS, Item
from validation.drill.lying import LyingPosts
from validation.drill.report import Cell, Report, Row, Shown, Told
from validation.drill.said import Said, of_item
from validation.drill.tape import Truth
from validation.lineage import lineage_to
from validation.rpc import RpcClient, RpcConfig
from validation.subjects import parse_subject
from validation.validators import CHECKS, Grounds, Heard, Others, Outcome, Status, Verdict, validate

LEVELS = (0, 1, 2, 3, 4, 5)
_DETAIL_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the deployment relies on besides the node: as its workers are configured."""

    config: RpcConfig
    checkpoint: Checkpoint | None = None
    others: Others | None = None
    """None: there is no other node to ask what is final."""
    now: Callable[[], float] = time.time

    def grounds(self) -> Grounds:
        """Anew for each validation: nothing is remembered from one lie to the next."""
        return Grounds(
            chain_id=self.config.chain_id,
            checkpoint=self.checkpoint,
            lineage=lineage_to(self.checkpoint),
            others=self.others,
            now=self.now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _True:
    """The truth about an item, by level: what was said of it, and the verdict."""

    item: Item
    said: dict[int, Said]
    outcomes: dict[int, Outcome]

    @property
    def shown(self) -> Shown:
        valid = [level for level in LEVELS if self._is_valid(level)]
        first = next((level for level in LEVELS if not self._is_valid(level)), LEVELS[-1])
        return Shown(
            kind=self.item.kind,
            subject=self.item.subject,
            verdict=self.outcomes[valid[-1] if valid else first].verdict,
            level=valid[-1] if valid else -1,
            reason=self.outcomes[first].reason,
            is_pinned=self.item.is_pinned,
        )

    def _is_valid(self, level: int) -> bool:
        return self.outcomes[level].verdict is Verdict.VALID


async def run(
    truth: Truth,
    items: Sequence[Item],
    trust: Trust,
    *,
    lies: Iterable[Lie] = tuple(LIES.values()),
    most_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    calls: Callable[[], int] = lambda: 0,
    is_thorough: bool = False,
) -> Report:
    """Whatever the node says, this ends: after `most_s` no further lie is begun. `is_thorough`:
    each level is validated to, also where a higher one has told what it finds.
    """
    started, made_at = clock(), trust.now()
    known = [await _truth_of(truth, item, trust) for item in items]
    rows, is_whole = list[Row](), True
    for lie in lies:
        if clock() - started > most_s:
            is_whole = False
            break
        told = [one for one in known if _concerns(lie, one.item)]
        cells = [
            cell
            for one in told
            for cell in await _lied(truth, one, lie, trust, is_thorough=is_thorough)
        ]
        rows.append(_row(lie, tuple(cells)))
    checkpoint = trust.checkpoint
    return Report(
        node=trust.config.nodes[0].label,
        made_at=made_at,
        ms=round((clock() - started) * 1000, 1),
        calls=calls(),
        checkpoint=f"{checkpoint.number}:{checkpoint.hash}" if checkpoint else "",
        items=tuple(one.shown for one in known),
        rows=tuple(rows),
        is_whole=is_whole,
    )


def _concerns(lie: Lie, item: Item) -> bool:
    """What is an example of something special hears only the lies that are about that."""
    return item.kind not in SPECIAL_KINDS or item.kind in lie.promises


def _row(lie: Lie, cells: tuple[Cell, ...]) -> Row:
    return Row(
        lie=lie.name,
        says=lie.says,
        caught_by=lie.caught_by,
        why=lie.why,
        promises=dict(lie.promises),
        is_harmless=lie.is_harmless,
        cells=cells,
    )


async def _truth_of(truth: Truth, item: Item, trust: Trust) -> _True:
    said, outcomes = dict[int, Said](), dict[int, Outcome]()
    posts = LyingPosts(truth, None, max_body_bytes=trust.config.max_body_bytes)
    async with _Asking(posts, trust) as asking:
        for level in LEVELS:
            outcomes[level], said[level] = await asking.validate(item, level)
    return _True(item=item, said=said, outcomes=outcomes)


async def _lied(
    truth: Truth, known: _True, lie: Lie, trust: Trust, *, is_thorough: bool
) -> list[Cell]:
    """The highest level first: it asks everything that the lower ones ask. What it finds often
    says what lower levels find, which then need not be asked.
    """
    cells = dict[int, Cell]()
    posts = LyingPosts(truth, lie, max_body_bytes=trust.config.max_body_bytes)
    async with _Asking(posts, trust) as asking:
        for level in reversed(LEVELS):
            if level in cells:
                continue
            posts.told = 0
            outcome, said = await asking.validate(known.item, level)
            if not posts.told and level == LEVELS[-1]:
                return []
            is_true = said == known.said[level]
            cell = _cell(known, lie, level, outcome, is_told=posts.told > 0, is_true=is_true)
            lowest = level if is_thorough else _lowest_alike(cell, is_true=is_true)
            same = range(lowest, level + 1)
            cells |= {at: replace(cell, level=at) for at in same}
    return [cells[level] for level in LEVELS]


def _lowest_alike(cell: Cell, *, is_true: bool) -> int:
    """The lowest level at which the same comes of the lie: that of the check that catches it, or
    any where what is said of the item itself is untrue and yet believed. Of accounts each level
    asks other questions.
    """
    if cell.kind in ACCOUNT_KINDS:
        return cell.level
    if cell.told is Told.CAUGHT:
        return min(cell.level, CHECKS[cell.by].level)
    if cell.told is Told.BELIEVED and not is_true:
        return LEVELS[0]
    return cell.level


def _cell(
    known: _True, lie: Lie, level: int, outcome: Outcome, *, is_told: bool, is_true: bool
) -> Cell:
    told = Told.UNTOLD
    if is_told:
        true = known.outcomes[level]
        if lie.is_harmless and (outcome.verdict, outcome.reason) == (true.verdict, true.reason):
            told = Told.HARMLESS
        else:
            told = _amounts_to(outcome, true, is_true=is_true)
    failed = next((check for check in outcome.checks if check.status is Status.FAIL), None)
    is_named = failed is not None and told is Told.CAUGHT
    return Cell(
        level=level,
        kind=known.item.kind,
        told=told,
        by=failed.name if is_named and failed else outcome.reason,
        detail=(failed.detail if failed else "")[:_DETAIL_CHARS],
        is_pinned=known.item.is_pinned,
    )


def _amounts_to(outcome: Outcome, true: Outcome, *, is_true: bool) -> Told:
    """`valid` is wrong where what is said of the item is not what is true of it, and also where
    the truth, with all that was lied about beside it, does not get so far.
    """
    match outcome.verdict:
        case Verdict.VALID:
            is_right = is_true and true.verdict is Verdict.VALID
            return Told.HARMLESS if is_right else Told.BELIEVED
        case Verdict.NOT_FOUND:
            return Told.HARMLESS if true.verdict is Verdict.NOT_FOUND else Told.DENIED
        case Verdict.UNVERIFIABLE:
            return Told.DOUBTED
        case Verdict.ERROR:
            return Told.REFUSED
        case Verdict.INVALID:
            return Told.CAUGHT


class _Asking:
    """A client over one transport, closed at the end."""

    def __init__(self, posts: LyingPosts, trust: Trust) -> None:
        self._trust = trust
        self._client = RpcClient(replaced(trust.config, max_attempts=1), transport=posts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def validate(self, item: Item, level: int) -> tuple[Outcome, Said]:
        """The outcome, and what was said of the item itself."""
        heard = list[Heard]()
        outcome = await validate(
            parse_subject(item.subject),
            level=level,
            fetcher=self._client,
            grounds=self._trust.grounds(),
            heard=heard,
        )
        return outcome, of_item(heard, is_account=item.kind in ACCOUNT_KINDS)
