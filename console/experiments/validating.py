"""The workload of most claims: items validated in a private engine over a private node."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from statistics import fmean
from typing import Final, Literal

import msgspec

from console.experiments.claims import Claim
from console.experiments.database import empty, taken
from console.experiments.engines import PrivateEngine, decisions, variants_of
from console.experiments.evidence import check, sources
from console.experiments.node import PrivateNode
from console.experiments.schedule import Arm
from validation.devnode.chain import Chain
from validation.item_variants import ItemPlan, Split
from validation.validators import Outcome

CHUNK_S: Final = 60.0
_HALF: Final = 50


class Work(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`items` a block, drawn of `distinct` (0: of all there are), each as often as `skew` has it
    (Zipf's exponent; 0: evenly), in chunks of `chunk`. `washout` items go first and are not
    counted. `cold`: what is cached is dropped before each block. `l2`: with a database of the
    cache server. `names` of loopback: to the engine, a node each.
    """

    subjects: Literal["address", "tx", "block"] = "address"
    items: int = 200
    distinct: int = 0
    skew: float = 0.0
    chunk: int = 100
    level: int = 1
    washout: int = 20
    cold: bool = False
    l2: bool = False
    may_fail: bool = False
    names: tuple[str, ...] = ("127.0.0.1",)


class Draw:
    """Items by pair: the same for both arms."""

    def __init__(self, work: Work, seed: int) -> None:
        chain = Chain.load(None)
        pool = {
            "address": chain.addresses,
            "tx": chain.transactions,
            "block": [f"block:{number}" for number in range(1, chain.latest + 1)],
        }[work.subjects]
        self._seed = seed
        self._pool = _chance(seed, "pool").sample(pool, min(work.distinct or len(pool), len(pool)))
        self._weights = [1 / (rank + 1) ** work.skew for rank in range(len(self._pool))]
        self._is_even = work.skew == 0

    def of(self, pair: int, number: int, what: str = "items") -> list[str]:
        chance = _chance(self._seed, f"{what} {pair}")
        if not self._is_even:
            return chance.choices(self._pool, self._weights, k=number)
        if number <= len(self._pool):
            return chance.sample(self._pool, number)
        return chance.choices(self._pool, k=number)


def _chance(seed: int, what: str) -> Random:
    return Random(f"{seed} {what}")  # noqa: S311 - a draw, no secret


def urls_of(node: PrivateNode, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(node.url.replace("127.0.0.1", name) for name in names)


@contextmanager
def validating(claim: Claim, seed: int) -> Iterator["Validating"]:
    work = msgspec.convert(claim.workload, Work)
    with ExitStack() as stack:
        node = stack.enter_context(PrivateNode({}))
        cache_url = stack.enter_context(taken()) if work.l2 else ""
        bench = Validating(claim, work, node, cache_url=cache_url, seed=seed)
        stack.callback(bench.stop)
        bench.warm_up()
        # After the first items: what the chain is called must not be found out slowly.
        node.set(**claim.node)
        yield bench


class Validating:
    """Unit process: an engine a side and variant. Time slot and item: one for all."""

    def __init__(
        self, claim: Claim, work: Work, node: PrivateNode, *, cache_url: str, seed: int
    ) -> None:
        self._claim, self._work, self._node = claim, work, node
        self._draw = Draw(work, seed)
        self._made: dict[tuple[str, str], PrivateEngine] = {}
        self._urls, self._cache_url = urls_of(node, work.names), cache_url
        self._split = Split(claim.flag, stage=_HALF, target="b", rest="a")

    def warm_up(self) -> None:
        """Each engine's sockets, and what it finds out of its node first."""
        claim = self._claim
        arms = (
            Arm(side="a", variant=claim.baseline),
            Arm(side="b", variant=claim.baseline),
            Arm(side="b", variant=claim.treatment),
        )
        for arm in arms:
            self._ask(self._engine(arm), self._draw.of(-1, self._work.chunk, "warm up"))

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        if len(arms) == 1:
            return [self._alone(pair, arms[0])]
        return self._together(pair, arms)

    def stop(self) -> None:
        for engine in self._made.values():
            engine.stop()

    def _alone(self, pair: int, arm: Arm) -> Mapping[str, float]:
        work, engine = self._work, self._engine(arm)
        engine.decide(decisions(variants_of(self._claim, arm.variant)))
        if work.cold:
            engine.engine.cache.shrink(0.0)
            if self._cache_url:
                empty(self._cache_url)
        if work.washout:
            self._ask(engine, self._draw.of(pair, work.washout, "washout"))
        before, stored = self._node.counts(), _stored(engine)
        began, cpu = time.perf_counter(), time.process_time()
        outcomes = self._ask(engine, self._draw.of(pair, work.items))
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        after, kept = self._node.counts(), _stored(engine)
        number = len(outcomes)
        figures = {
            **_of_outcomes(outcomes, may_fail=work.may_fail),
            "wall_us": wall_s / number * 1e6,
            "items_per_s": number / wall_s,
            "cpu_us": cpu_s / number * 1e6,
            "requests": (after.requests - before.requests) / number,
            "calls": (after.calls - before.calls) / number,
        }
        if kept[0] > stored[0]:
            figures["stored_share"] = (kept[1] - stored[1]) / (kept[0] - stored[0])
        return figures

    def _together(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        """Both at once, each item in the arm that the flag's own hash puts it in."""
        engine, by_side = self._engine(arms[0]), {arm.side: arm for arm in arms}
        subjects = self._draw.of(pair, self._work.items)
        sides = [self._split.variant_of(subject.encode()) for subject in subjects]
        values = {side: str(self._claim.value_of(arm.variant)) for side, arm in by_side.items()}
        split = Split(self._claim.flag, stage=_HALF, target=values["b"], rest=values["a"])
        plan = decisions(variants_of(self._claim, self._claim.baseline))
        items = ItemPlan(of={**plan.items.of, self._claim.flag: split})
        plan = replace(plan, items=items)
        engine.decide(plan)
        outcomes = self._ask(engine, subjects)
        return [
            _of_outcomes(
                [one for one, side in zip(outcomes, sides, strict=True) if side == arm.side],
                may_fail=self._work.may_fail,
            )
            for arm in arms
        ]

    def _engine(self, arm: Arm) -> PrivateEngine:
        key = (arm.side, arm.variant) if self._claim.unit == "process" else ("", "")
        if key not in self._made:
            wanted = decisions(variants_of(self._claim, arm.variant))
            self._made[key] = PrivateEngine(self._urls, cache_url=self._cache_url, first=wanted)
        return self._made[key]

    def _ask(self, engine: PrivateEngine, subjects: Sequence[str]) -> list[Outcome]:
        found: list[Outcome] = []
        for start in range(0, len(subjects), self._work.chunk):
            chunk = subjects[start : start + self._work.chunk]
            asked = engine.engine.validate(chunk, level=self._work.level, node_urls=())
            found += asked.result(CHUNK_S)
        return found


def _of_outcomes(outcomes: Sequence[Outcome], *, may_fail: bool) -> dict[str, float]:
    errors = check(outcomes, may_fail=may_fail)
    came, number = sources(outcomes), len(outcomes)
    times = sorted(outcome.ms for outcome in outcomes)
    return {
        "items": number,
        "item_ms": fmean(times),
        "item_p95_ms": times[int(0.95 * (number - 1))],
        "error_share": errors / number,
        "l1_share": came["l1"] / number,
        "cache_share": (came["l1"] + came["l2"]) / number,
    }


def _stored(engine: PrivateEngine) -> tuple[int, int]:
    """Bytes given to the cache server, and what became of them."""
    report = engine.engine.cache.report()
    return report.get("bytes_raw", 0), report.get("bytes_stored", 0)
