"""What an engine's first chunk after its start meets: a new engine each block."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from console.experiments.claims import Claim
from console.experiments.database import taken
from console.experiments.engines import PrivateEngine, decisions, variants_of
from console.experiments.evidence import check, sources
from console.experiments.node import PrivateNode
from console.experiments.schedule import Arm
from console.experiments.validating import CHUNK_S, Draw, Work, urls_of
from validation.validators import Outcome

# What L1 is filled with comes behind the first look at the cache server.
_SETTLE_S = 5.0
_POLL_S = 0.02
_FILL_S = 0.2
# Of hits a share is noted as hot; enough that all of the favourites are.
_ROUNDS = 60


@contextmanager
def starting(claim: Claim, seed: int) -> Iterator["Starting"]:
    work = msgspec.convert(claim.workload, Work)
    with ExitStack() as stack:
        node = stack.enter_context(PrivateNode({}))
        bench = Starting(claim, work, node, cache_url=stack.enter_context(taken()), seed=seed)
        bench.warm_up()
        node.set(**claim.node)
        yield bench


class Starting:
    def __init__(
        self, claim: Claim, work: Work, node: PrivateNode, *, cache_url: str, seed: int
    ) -> None:
        self._claim, self._work = claim, work
        self._draw = Draw(work, seed)
        self._urls, self._cache_url = urls_of(node, work.names), cache_url

    def warm_up(self) -> None:
        """An engine that knows what is hot, and leaves it in the cache server when it ends."""
        engine = self._start(self._claim.baseline)
        try:
            for number in range(_ROUNDS):
                self._ask(engine, self._draw.of(number, self._work.items, "before"))
        finally:
            engine.stop()

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        return [self._one(pair, arm) for arm in arms]

    def _one(self, pair: int, arm: Arm) -> Mapping[str, float]:
        engine = self._start(arm.variant)
        try:
            self._settle(engine)
            began, cpu = time.perf_counter(), time.process_time()
            outcomes = self._ask(engine, self._draw.of(pair, self._work.items))
            wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
            check(outcomes, may_fail=False)
            number, came = len(outcomes), sources(outcomes)
            return {
                "items": number,
                "wall_us": wall_s / number * 1e6,
                "cpu_us": cpu_s / number * 1e6,
                "l1_share": came["l1"] / number,
                "cache_share": (came["l1"] + came["l2"]) / number,
                "warmed": engine.engine.cache.report()["warmed"],
            }
        finally:
            engine.stop()

    def _start(self, variant: str) -> PrivateEngine:
        first = decisions(variants_of(self._claim, variant))
        return PrivateEngine(self._urls, cache_url=self._cache_url, first=first)

    def _settle(self, engine: PrivateEngine) -> None:
        """Until it knows its chain and its cache server, and a moment for what that brings: the
        same in both arms, or the one that is filled would be given more time.
        """
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            told = engine.engine.told()
            if told["head"] is not None and engine.engine.cache.report().get("l2_reachable"):
                break
            time.sleep(_POLL_S)
        time.sleep(_FILL_S)

    def _ask(self, engine: PrivateEngine, subjects: Sequence[str]) -> list[Outcome]:
        asked = engine.engine.validate(subjects, level=self._work.level, node_urls=())
        return asked.result(CHUNK_S)
