"""Which fetcher each item of a chunk asks: made once a variant, chosen once an item.

Where no stage splits the items, nothing is asked of any of them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, Protocol

import structlog

from validation.flags import CACHED_KINDS, FETCH_MODE
from validation.item_plans import ItemPlan, Share
from validation.validators import Fetcher

log = structlog.get_logger(__name__)

type Variants = tuple[str, str]
"""How an item's calls are asked, and which kinds of answers are kept."""

_DEFAULTS: Final[Variants] = (FETCH_MODE.default, CACHED_KINDS.default)


class Chooser(Protocol):
    """Of one chunk."""

    def fetcher(self, subject: str) -> Fetcher: ...

    def tell(self, items: int) -> None:
        """The chunk of so many items is done: who had what is counted."""


class Always:
    """The same for all, whatever flags say."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def fetcher(self, subject: str) -> Fetcher:
        del subject
        return self._fetcher

    def tell(self, items: int) -> None:
        del items


class Same(Always):
    """One variant of each flag for all."""

    def __init__(self, fetcher: Fetcher, variants: Variants, plan: ItemPlan) -> None:
        super().__init__(fetcher)
        self._variants = variants
        self._plan = plan

    def tell(self, items: int) -> None:
        _count(self._plan, {self._variants: items})


class ByItem:
    """Some flag is split."""

    def __init__(
        self, fetchers: Mapping[Variants, Fetcher], mode: Share, kinds: Share, plan: ItemPlan
    ) -> None:
        self._mode, self._kinds = mode.variant_of, kinds.variant_of
        self._plan = plan
        self._chosen = {variants: _Chosen(fetcher) for variants, fetcher in fetchers.items()}

    def fetcher(self, subject: str) -> Fetcher:
        chosen = self._chosen[self._mode(subject), self._kinds(subject)]
        chosen.items += 1
        return chosen.fetcher

    def tell(self, items: int) -> None:
        del items
        _count(self._plan, {variants: of.items for variants, of in self._chosen.items()})


@dataclass(slots=True)
class _Chosen:
    fetcher: Fetcher
    items: int = 0


class Choices:
    """The fetchers of one engine. `make` raises ValueError for a variant that it does not know."""

    def __init__(self, make: Callable[[str, str], Fetcher]) -> None:
        self._make = make
        self._made: dict[Variants, Fetcher] = {}

    def by(self, plan: ItemPlan) -> Chooser:
        mode, kinds = plan.share(FETCH_MODE), plan.share(CACHED_KINDS)
        pairs = tuple(product(mode.variants, kinds.variants))
        if len(pairs) == 1:
            return Same(self._get(pairs[0]), pairs[0], plan)
        return ByItem({pair: self._get(pair) for pair in pairs}, mode, kinds, plan)

    def _get(self, variants: Variants) -> Fetcher:
        made = self._made.get(variants)
        if made is None:
            made = self._made[variants] = self._made_of(variants)
        return made

    def _made_of(self, variants: Variants) -> Fetcher:
        try:
            return self._make(*variants)
        except ValueError as error:
            # Of another release: its items are validated as this one does by itself.
            log.error("flag.refused", variants=variants, reason=str(error))  # noqa: TRY400 - it says all
            return self._make(*_DEFAULTS)


def _count(plan: ItemPlan, counts: Mapping[Variants, int]) -> None:
    for place, flag in enumerate((FETCH_MODE, CACHED_KINDS)):
        found: Counter[str] = Counter()
        for variants, count in counts.items():
            found[variants[place]] += count
        plan.count(flag.key, found)
