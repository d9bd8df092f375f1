"""How each claim stands: what was measured of it, here or by the release, and what cannot be.

What pages, gates and the roadmap's status read. What was measured here goes before what a release
brought, however old.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from console.experiments import claims, powers, telling
from console.experiments.claims import Claim, Unmeasured
from console.experiments.models import Experiment, State
from console.experiments.powers import Powered
from console.flags import clock
from console.roadmap.status import Finding

HISTORY: Final = 20
# What makes a claim another one: evidence of the one says nothing of the other.
_MEANS: Final = (
    *("flag", "baseline", "treatment", "metric", "direction", "least", "scale", "kind", "unit"),
    *("settings", "node", "workload"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`newest`: done, and of the claim as it is today. `history`: the last twenty, newest first,
    whatever became of them. `running`: one that runs, or else waits; `blocks_done` of its
    `blocks_wanted`. `why`: why it cannot be measured here; "" where it can.
    """

    key: str
    title: str
    optimisations: tuple[str, ...]
    flag: str
    source: str
    says: str
    # None: it cannot be measured.
    claim: Claim | None = None
    newest: Experiment | None = None
    history: tuple[Experiment, ...] = ()
    running: Experiment | None = None
    blocks_done: int = 0
    why: str = ""

    @property
    def verdict(self) -> str:
        """Is "proved", "refuted" or "inconclusive"; "" where nothing was measured."""
        return self.newest.verdict if self.newest else ""

    @property
    def holds(self) -> bool | None:
        return {"proved": True, "refuted": False}.get(self.verdict)

    @property
    def words(self) -> str:
        """Claimed against measured in a sentence, with when and where."""
        if self.why:
            return f"cannot be measured here: {self.why}"
        return telling.summary(self.newest) if self.newest else "not measured yet"

    @property
    def finds(self) -> tuple[Powered, ...]:
        """How often such a plan finds 5, 10 and 30 %."""
        return powers.finds(self.newest) if self.newest else ()

    @property
    def proves(self) -> Powered | None:
        """How often such a plan proves what is claimed, if it is true."""
        return powers.proves(self.newest) if self.newest else None


def of(optimisation: str | None = None) -> tuple[Standing, ...]:
    """Of an optimisation, or of all: what can be measured first, in the file's order."""
    measured = [each for each in claims.claims().values() if _concerns(each, optimisation)]
    told = _experiments([each.key for each in measured])
    left = [each for each in claims.unmeasured() if _concerns(each, optimisation)]
    return (*(_standing(each, told[each.key]) for each in measured), *map(_open, left))


def findings() -> Iterator[Finding]:
    """For the roadmap's status: a claim that is not proved keeps its optimisation from done."""
    for each in of():
        for optimisation in each.optimisations:
            yield Finding(
                optimisation=optimisation,
                kind="evidence",
                key=each.key,
                holds=each.holds,
                words=f"{each.title}: {each.words}",
            )


def is_of(claim: Claim, experiment: Experiment) -> bool:
    """Whether it measured what is claimed today; plan, guards and words may have changed since."""
    return all(
        msgspec.to_builtins(getattr(claim, name)) == experiment.claimed.get(name) for name in _MEANS
    )


def _standing(claim: Claim, told: Sequence[Experiment]) -> Standing:
    running = _running(told)
    done = [each for each in told if each.state == State.DONE and is_of(claim, each)]
    history = [each for each in told if each.place <= HISTORY]  # type: ignore[attr-defined]
    return Standing(
        key=claim.key,
        title=claim.title,
        optimisations=claim.optimisations,
        flag=claim.flag,
        source=claim.source,
        says=claim.says,
        claim=claim,
        newest=min(done, key=lambda each: each.shipped, default=None),
        history=tuple(history),
        running=running,
        blocks_done=running.blocks.count() if running else 0,
    )


def _open(each: Unmeasured) -> Standing:
    return Standing(
        key=each.key,
        title=each.title,
        optimisations=each.optimisations,
        flag=each.flag,
        source=each.source,
        says=each.says,
        why=each.why,
    )


def _running(told: Iterable[Experiment]) -> Experiment | None:
    """Whose lease ran out is gone, and about to be called so."""
    for each in told:
        if each.state == State.RUNNING and each.lease_until and each.lease_until > clock.now():
            return each
    waiting = [each for each in told if each.state == State.QUEUED]
    return waiting[-1] if waiting else None


def _concerns(each: Claim | Unmeasured, optimisation: str | None) -> bool:
    return optimisation is None or optimisation in each.optimisations


def _experiments(keys: Sequence[str]) -> Mapping[str, list[Experiment]]:
    """Of each claim the last, newest first, and whichever came out last of here and the release."""
    order = (F("created_at").desc(), F("pk").desc())
    every = Experiment.objects.filter(claim__in=keys).annotate(
        place=Window(RowNumber(), partition_by="claim", order_by=order),
        done=Window(RowNumber(), partition_by=("claim", "state", "shipped"), order_by=order),
    )
    kept = every.filter(Q(place__lte=HISTORY) | Q(state=State.DONE, done=1))
    told: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in kept.order_by("claim", "place"):
        told[experiment.claim].append(experiment)
    return told
