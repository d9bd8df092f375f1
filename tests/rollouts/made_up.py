"""A fleet that tells of work it never did: whose arms differ as a test says, and not otherwise."""

from dataclasses import dataclass, field

import numpy as np

from monitoring.arms import BOUNDS_S, Arms, Told, Work

START_S = 1_800_000_000.0


@dataclass(kw_only=True)
class MadeUp:
    """`rate`: items a second of all processes; `share`: percent of them that have the target.
    Items of a chunk, a process' second, go well or badly together by `chunk_noise`; an item's own
    time is spread by `item_noise` (both of a logarithm).
    """

    flag: str = "cache.codec"
    target: str = "zstd"
    rest: str = "base64"
    processes: int = 4
    rate: float = 2000.0
    share: float = 5.0
    mean_s: float = 0.010
    slow: float = 1.0
    failing: float = 0.0
    failing_else: float = 0.0
    chunk_noise: float = 0.15
    item_noise: float = 0.6
    kind: str = "worker"
    # Of processes: those before it have the target whole.
    treated_processes: int | None = None
    silent: frozenset[str] = frozenset()
    # Numbers of those at a chunk that takes long: they tell what they have, and no work yet.
    busy: frozenset[int] = frozenset()
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    now_s: float = START_S
    _done: dict[tuple[str, str], Work] = field(default_factory=dict)

    def work(self, seconds: float = 1.0) -> tuple[Told, ...]:
        """Does a turn's, and tells."""
        self.now_s += seconds
        for number in range(self.processes):
            self._one(number, seconds)
        return self.told()

    def told(self, *, age_s: float = 0.3) -> tuple[Told, ...]:
        names = [f"host:{number}" for number in range(self.processes)]
        return tuple(
            Told(
                arms=Arms(
                    process=name,
                    kind=self.kind,
                    started_at=START_S - 100,
                    up_s=100 + self.now_s - START_S,
                    revision=1,
                    holds=self._holds(number),
                    flags={self.flag: self._of(name)},
                ),
                age_s=age_s,
                read_at=self.now_s,
            )
            for number, name in enumerate(names)
            if name not in self.silent
        )

    def _holds(self, number: int) -> dict[str, str]:
        if self.treated_processes is None:
            return {}
        return {self.flag: self.target if number < self.treated_processes else self.rest}

    def _of(self, name: str) -> dict[str, Work]:
        return {
            variant: self._done[name, variant]
            for variant in (self.target, self.rest)
            if (name, variant) in self._done
        }

    def _one(self, number: int, seconds: float) -> None:
        if number in self.busy:
            return
        name = f"host:{number}"
        units = self.random.poisson(self.rate * seconds / self.processes)
        if self.treated_processes is None:
            treated = int(self.random.binomial(units, self.share / 100))
        else:
            treated = units if number < self.treated_processes else 0
        chunk = float(np.exp(self.random.normal(0, self.chunk_noise)))
        self._add(name, self.target, treated, self.mean_s * self.slow * chunk, self.failing)
        self._add(name, self.rest, units - treated, self.mean_s * chunk, self.failing_else)

    def _add(self, name: str, variant: str, units: int, mean_s: float, failing: float) -> None:
        if not units:
            return
        noise = self.item_noise
        times = mean_s * np.exp(self.random.normal(-noise * noise / 2, noise, units))
        places = np.searchsorted(BOUNDS_S, times)
        counts = np.bincount(places, minlength=len(BOUNDS_S) + 1)
        work = Work(
            units=units,
            failed=int(self.random.binomial(units, failing)),
            seconds=float(times.sum()),
            buckets=tuple(int(count) for count in counts),
        )
        before = self._done.get((name, variant))
        self._done[name, variant] = work if before is None else before + work
