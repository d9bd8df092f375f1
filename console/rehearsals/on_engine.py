"""Rehearses what steers a worker's engine: on a private one, over a node and a cache server's
database of its own.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Final

from console.experiments.engines import PrivateEngine, decisions
from console.experiments.node import PrivateNode
from console.experiments.validating import urls_of
from console.rehearsals.drilling import Entries, NotShown
from console.rehearsals.entries import Kept
from console.rehearsals.load import PATIENCE_S, Answer
from validation import flags
from validation.devnode.chain import Chain
from validation.engine import CHUNK_S
from validation.validators import Outcome, Verdict

NODE: Final[Mapping[str, object]] = {"latency_ms": 5}
CHUNK: Final = 40
_LEVEL: Final = 2
_BLOCKS: Final = 60
# The engine settles a chunk before: nobody is to doubt it earlier than it does itself.
ANSWER_S: Final = CHUNK_S + 15.0
# Two names of one node: a hedge needs another to ask.
_NAMES: Final = ("127.0.0.1", "localhost")
# So few that something is evicted; but for who decides on it.
_L1_ENTRIES: Final = 64
_OF_L1: Final = frozenset({flags.L1_EVICTION.key, flags.L1_EXPIRY.key})
# They decide how entries are written, and nothing else: without any there is nothing to see.
_OF_FORMAT: Final = frozenset({flags.CODEC.key, flags.COMPRESSION_THRESHOLD.key})
_SEED: Final = 7


class Unanswered(NotShown):
    """An engine that does not come to an end with a chunk, though it settles each before: its loop
    is held up, which no node can do. Under load the chunk is lost.
    """


@contextmanager
def on_engine(
    flag: str,
    baseline: str,
    target: str,
    *,
    node: PrivateNode,
    cache_url: str,
    chunk: int = CHUNK,
) -> Iterator["EngineRig"]:
    """`node` and `cache_url` are nobody else's meanwhile, and it begins empty."""
    node.set(latency_ms=0)
    with ExitStack() as stack:
        rig = EngineRig(flag, urls_of(node, _NAMES), cache_url, chunk=chunk)
        stack.callback(rig.stop)
        rig.warm_up(baseline, target)
        # After the first items: what the chain is called must not be found out slowly.
        node.set(**NODE)
        yield rig


class EngineRig:
    def __init__(self, flag: str, urls: Sequence[str], cache_url: str, *, chunk: int) -> None:
        self.load = (
            f"chunks of {chunk} transactions, addresses and blocks at level {_LEVEL}, one after the"
            f" other, on an engine of its own over a node that answers in {NODE['latency_ms']} ms"
        )
        self.units: Sequence[str] = _units()
        self.chunk = chunk
        self._flag, self._urls, self._cache_url = flag, tuple(urls), cache_url
        self._kept = Kept(cache_url)
        self._engine: PrivateEngine | None = None
        self._expected: dict[str, str] = {}

    def warm_up(self, baseline: str, target: str) -> None:
        """What a part says of itself in an engine that begins with a variant is what it is to say
        after a change to it.
        """
        engine = self._engine = self._begin(baseline)
        if self._flag in _OF_L1:
            engine.engine.cache.resize({"max_entries": _L1_ENTRIES}, revision=0)
        self._expected[baseline] = self._told_by(engine)
        other = self._begin(target)
        try:
            self._expected[target] = self._told_by(other)
        finally:
            other.stop()
        self.ask([f"block:{number}" for number in range(1, 5)])

    def switch(self, variant: str) -> None:
        self._at_work().decide(decisions({self._flag: variant}))

    def told(self) -> str:
        return self._told_by(self._at_work())

    def expected(self, variant: str) -> str:
        return self._expected[variant]

    def ask(self, units: Sequence[str]) -> list[Answer]:
        engine = self._at_work()
        engine.engine.guard_memory()  # as a worker does between its chunks
        return [_answer(outcome) for outcome in _validated(engine, units)]

    def mark(self) -> None:
        self._kept.mark()

    def read(self, variant: str, said: Mapping[str, str]) -> Entries:
        written = self._kept.written()
        if not written and self._flag in _OF_FORMAT:
            raise NotShown("Nothing was written to the cache server, so nothing was read back.")
        reader = self._begin(variant)
        try:
            read = self._kept.read_by(reader.engine.cache, written)
            units, hits, otherwise = list(said), 0, list[str]()
            until = time.monotonic() + PATIENCE_S
            for start in range(0, len(units), self.chunk):
                if time.monotonic() > until:
                    raise NotShown(f"Not all is read back within {PATIENCE_S:.0f} s.")
                try:
                    outcomes = _validated(reader, chunk := units[start : start + self.chunk])
                except Unanswered as exc:
                    otherwise += [f"{unit}: {said[unit]}, then {exc}" for unit in chunk]
                    break
                for outcome in outcomes:
                    hits += outcome.source != "node"
                    now = _said(outcome)
                    if now != said[outcome.subject]:
                        otherwise.append(f"{outcome.subject}: {said[outcome.subject]}, then {now}")
            corrupt = int(reader.engine.cache.report().get("corrupt", 0))
        finally:
            reader.stop()
        return Entries(
            written=read.there,
            read=read.read,
            corrupt=corrupt,
            units=len(units),
            hits=hits,
            differing=len(otherwise),
            first=otherwise[0] if otherwise else "",
        )

    def stop(self) -> None:
        if self._engine is not None:
            self._engine.stop()
        self._kept.close()

    def _begin(self, variant: str) -> PrivateEngine:
        fleet_url = self._cache_url if self._flag == flags.RATE_LIMIT.key else ""
        engine = PrivateEngine(
            self._urls,
            cache_url=self._cache_url,
            fleet_url=fleet_url,
            first=decisions({self._flag: variant}),
        )
        engine.settle()
        return engine

    def _told_by(self, engine: PrivateEngine) -> str:
        return engine.engine.in_force()[self._flag]

    def _at_work(self) -> PrivateEngine:
        if self._engine is None:
            raise RuntimeError("to be warmed up first")
        return self._engine


def _units() -> list[str]:
    """Of all three kinds, mixed; in each third as many of each."""
    chain, chance = Chain.load(None), Random(_SEED)  # noqa: S311 - a draw, no secret
    blocks = [f"block:{number}" for number in chance.sample(range(10, chain.latest), 3 * _BLOCKS)]
    addresses = [f"address:{each}" for each in chance.sample(chain.addresses, 6 * _BLOCKS)]
    transactions = [f"tx:{each}" for each in chance.sample(chain.transactions, 6 * _BLOCKS)]
    rows = zip(
        blocks, addresses[::2], addresses[1::2], transactions[::2], transactions[1::2], strict=True
    )
    return [unit for row in rows for unit in row]


def _validated(engine: PrivateEngine, units: Sequence[str]) -> list[Outcome]:
    asked = engine.engine.validate(list(units), level=_LEVEL, node_urls=())
    if wait((asked,), ANSWER_S).not_done:
        raise Unanswered(f"nothing within {ANSWER_S:.0f} s")
    return asked.result()


def _answer(outcome: Outcome) -> Answer:
    is_right = outcome.verdict is Verdict.VALID
    wrong = "" if is_right else f"came back as {outcome.verdict.value} ({outcome.reason})"
    return Answer(unit=outcome.subject, said=_said(outcome), wrong=wrong)


def _said(outcome: Outcome) -> str:
    """All but where it came from, when, and how long it took."""
    checks = ", ".join(f"{check.name} {check.status.value}" for check in outcome.checks)
    block = f" in {outcome.block.hash}" if outcome.block else ""
    return f"{outcome.verdict.value} at level {outcome.level} ({checks}){block}"
