"""One item's way to ask: whatever it rests on is remembered, as its evidence."""

from collections.abc import Sequence

from validation.rpc import Call, Reply
from validation.validators.grounds import Grounds
from validation.validators.heard import Fetcher, Heard
from validation.validators.timeline import Timeline

__all__ = ["Ask", "Fetcher", "Heard"]


class Ask:
    """Made anew for each time that an item is examined. `fresh`: nothing from memory. `timeline`
    where the validation is to explain itself.
    """

    __slots__ = ("fetcher", "fresh", "grounds", "heard", "timeline")

    def __init__(
        self,
        fetcher: Fetcher,
        grounds: Grounds,
        *,
        fresh: bool = False,
        timeline: Timeline | None = None,
    ) -> None:
        self.fetcher = fetcher
        self.grounds = grounds
        self.fresh = fresh
        self.timeline = timeline
        self.heard: list[Heard] = []

    @property
    def explain(self) -> bool:
        """Whether what was computed and claimed is to stand with what passed too."""
        return self.timeline is not None

    async def fetch(self, calls: Sequence[Call]) -> Reply:
        timeline = self.timeline
        at_ms = 0.0 if timeline is None else timeline.now_ms()
        reply = await self.fetcher.fetch(calls, fresh=self.fresh)
        if timeline is not None:
            timeline.asked(reply.spans, at_ms=at_ms)
        self.heard.append(Heard(tuple(calls), reply))
        return reply

    def now_ms(self) -> float:
        """Milliseconds since the validation began; 0 where nobody asks for them."""
        return 0.0 if self.timeline is None else self.timeline.now_ms()

    def rest_on(self, heard: Sequence[Heard], *, since_ms: float | None = None) -> None:
        """Evidence that items share was asked for by the first of them; all of them rest on it.
        `since_ms`: waited for since then.
        """
        self.heard.extend(heard)
        if self.timeline is None:
            return
        if since_ms is None or len(heard) != 1:
            self.timeline.resume()
        else:
            self.timeline.waited(heard[0].reply.spans, since_ms=since_ms)

    @property
    def chain_id(self) -> int | None:
        return self.grounds.chain_id

    @property
    def source(self) -> str:
        """The tier that remembered a part of it; `node` where a node said all of it just now."""
        sources = {heard.reply.source for heard in self.heard}
        return next((tier for tier in ("l2", "l1") if tier in sources), "node")

    @property
    def age_s(self) -> float:
        """Of its oldest part."""
        return max((heard.reply.age_s for heard in self.heard), default=0.0)
