"""Whatever becomes of a chain: what the view saw leave it is an orphan, and nothing else is."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.heads.chain import Chain, ChainNode, ref
from tests.heads.test_following import Told
from validation.heads import ChainView
from validation.rpc import NodeTimeout
from validation.validators import BlockRef

_MINED = st.tuples(st.just("mine"), st.integers(1, 30))
_REORGANISED = st.tuples(st.just("reorganise"), st.integers(1, 40))
_RETURNED = st.tuples(st.just("return"), st.integers(0, 10))
_POLLED = st.tuples(st.sampled_from(["poll", "fail", "lag"]), st.integers(0, 5))
HISTORIES = st.lists(_MINED | _REORGANISED | _RETURNED | _POLLED, max_size=30)


class Model:
    """What the view has to know, kept the simple way: every block that it ever had."""

    def __init__(self) -> None:
        self.chain = Chain(70)
        self.node = ChainNode(self.chain, final=500)
        self.told = Told()
        self.view = ChainView(self.node, depth=64, on_reorg=self.told)
        self.seen: set[BlockRef] = set()
        self.orphans: set[BlockRef] = set()
        self.once = [list(self.chain.blocks)]

    async def step(self, act: str, number: int) -> None:
        if act == "mine":
            self.chain.mine(number)
        elif act == "reorganise":
            self.once.append(list(self.chain.blocks))
            self.chain.reorganise(min(number, len(self.chain.blocks) - 1))
        elif act == "return":
            self.chain.return_to(self.once[number % len(self.once)])
            self.chain.mine()
        else:
            await self.poll(act, number)

    async def poll(self, act: str, number: int) -> None:
        self.node.error = NodeTimeout("late", node="node-1") if act == "fail" else None
        heard = await self.view.poll()
        assert heard == (act != "fail")
        if not heard:
            return
        canonical = {ref(block) for block in self.chain.blocks}
        assert self.view.head == self.chain.head
        newly = [block for news in self.told.news for block in news]
        self.told.news.clear()
        assert len(newly) == len(set(newly))
        assert set(newly) == self.seen - canonical - self.orphans
        self.orphans = self.seen - canonical
        window = self.view._window
        held = {block.ref for block in window.newest_first(len(window))}
        assert held <= canonical
        self.seen |= held
        assert {b for b in self.seen if self.view.is_orphaned(b.hash)} == self.orphans
        if act == "lag":
            await self.lag(number)

    async def lag(self, number: int) -> None:
        """The same chain, told by a node that is behind: nothing changes."""
        self.node.lag = number
        assert await self.view.poll()
        self.node.lag = 0
        window = self.view._window
        self.seen |= {block.ref for block in window.newest_first(len(window))}
        assert self.view.head == self.chain.head
        assert self.told.news == []


@settings(max_examples=60, deadline=None)
@given(history=HISTORIES)
def test_orphans_are_exactly_what_was_seen_and_is_gone(
    history: list[tuple[str, int]],
) -> None:
    async def live() -> None:
        model = Model()
        for act, number in [("poll", 0), *history, ("poll", 0)]:
            await model.step(act, number)

    asyncio.run(live())
