"""An experiment is run: begun by one runner, block by block, ended whatever comes."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from console.experiments import surroundings, turns
from console.experiments.claims import Claim
from console.experiments.database import NoDatabase
from console.experiments.engines import VariantRefused
from console.experiments.evidence import NoEvidence
from console.experiments.hushing import hushed
from console.experiments.judging import Block, find
from console.experiments.models import Experiment, ExperimentBlock, State
from console.experiments.node import NodeFailed
from console.experiments.running import LEASE_S, TOPIC, expire
from console.experiments.schedule import Arm, Pair, pairs_of
from console.experiments.workloads import WORKLOADS, Figures
from console.experiments.writing import written
from monitoring import events

_ANNOUNCED_S: Final = 2.0
_FAILURES: Final = (NoEvidence, NodeFailed, NoDatabase, VariantRefused, TimeoutError)

type Tell = Callable[[int, int], None]
"""Blocks done, of how many."""


class Busy(Exception):
    """Another one runs; says which."""


class Cancelled(Exception):
    """Somebody does not want it any more."""


class Lost(Exception):
    """It was taken for dead meanwhile, and is no longer this runner's."""


class Terminated(BaseException):
    """The process was told to end."""


def run(experiment: Experiment, *, tell: Tell = lambda _done, _all: None) -> Experiment:
    """To its end, in this process. Raises Busy where another runs: it waits on as it is."""
    claim = msgspec.convert(experiment.claimed, Claim)
    _begin(experiment)
    try:
        finding = _measure(experiment, claim, tell)
    except (Cancelled, KeyboardInterrupt):
        return _end(experiment, State.CANCELLED, why="Cancelled; what was measured is kept.")
    except Terminated:
        return _end(experiment, State.INTERRUPTED, why="Its process was told to end.")
    except Lost:
        experiment.refresh_from_db()
        return experiment
    except _FAILURES as exc:
        return _end(experiment, State.FAILED, why=str(exc) or type(exc).__name__)
    except BaseException as exc:
        _end(experiment, State.FAILED, why=f"A defect of this program: {type(exc).__name__}: {exc}")
        raise
    return finding


def _measure(experiment: Experiment, claim: Claim, tell: Tell) -> Experiment:
    schedule = pairs_of(
        claim.baseline, claim.treatment, pairs=experiment.pairs, seed=experiment.seed
    )
    blocks: list[Block] = []
    announced = 0.0
    with hushed(), _swept(), WORKLOADS[claim.kind](claim, experiment.seed) as bench:
        for pair in schedule:
            for arms in _turns(claim, pair):
                gc.collect()
                began, clock = timezone.now(), time.perf_counter()
                figures = bench.block(pair.number, arms)
                took_s = time.perf_counter() - clock
                done = _blocks(pair, arms, figures)
                _keep(experiment, done, began=began, took_s=took_s, first=len(blocks))
                blocks += done
                tell(len(blocks), 2 * len(schedule))
                announced = _announce(announced)
    finding = find(claim, blocks, seed=experiment.seed)
    return _end(
        experiment,
        State.DONE,
        why=finding.judged.why,
        verdict=finding.judged.verdict,
        found=dict(finding.found),
    )


def _turns(claim: Claim, pair: Pair) -> list[tuple[Arm, ...]]:
    """Items of one stream are in both arms at once; all else comes one after the other."""
    return [pair.arms] if claim.unit == "item" else [(arm,) for arm in pair.arms]


def _begin(experiment: Experiment) -> None:
    expire()
    started = {
        "state": State.RUNNING,
        "began_at": Now(),
        "lease_until": Now() + timedelta(seconds=LEASE_S),
        "machine": surroundings.machine(),
        "code_revision": surroundings.code_revision(),
        "flag_revision": surroundings.flag_revision(),
    }
    try:
        with transaction.atomic():
            if taken := turns.of_others(Experiment):
                raise Busy(f"{taken} runs: two at a time would measure each other.")
            waiting = Experiment.objects.filter(pk=experiment.pk, state=State.QUEUED)
            number = waiting.update(**started)
    except IntegrityError as exc:
        other = Experiment.objects.filter(state=State.RUNNING).first()
        raise Busy(f"{other or 'Another'} runs: two at a time would measure each other.") from exc
    if not number:
        experiment.refresh_from_db()
        raise Busy(f"{experiment} is not waiting: it is {experiment.state}.")
    experiment.refresh_from_db()
    events.publish(TOPIC)


def _announce(last: float) -> float:
    """Progress, to whoever looks on; not so often that their looking is measured."""
    now = time.monotonic()
    if now - last < _ANNOUNCED_S:
        return last
    events.publish(TOPIC)
    return now


def _blocks(pair: Pair, arms: Sequence[Arm], figures: Sequence[Figures]) -> list[Block]:
    return [
        Block(pair=pair.number, kind=pair.kind, side=arm.side, variant=arm.variant, figures=of)
        for arm, of in zip(arms, figures, strict=True)
    ]


def _keep(
    experiment: Experiment, blocks: Sequence[Block], *, began: datetime, took_s: float, first: int
) -> None:
    """Writes the blocks and renews the lease in one transaction. Raises Cancelled and Lost."""
    mine = Experiment.objects.filter(pk=experiment.pk, state=State.RUNNING)
    rows = [
        ExperimentBlock(
            experiment=experiment,
            ordinal=first + number,
            pair=block.pair,
            kind=block.kind,
            side=block.side,
            variant=block.variant,
            began_at=began,
            took_s=took_s,
            figures=dict(block.figures),
        )
        for number, block in enumerate(blocks)
    ]

    def write() -> bool:
        with transaction.atomic():
            if not mine.update(lease_until=Now() + timedelta(seconds=LEASE_S)):
                raise Lost
            # They may be there: of a commit that came through no word did.
            ExperimentBlock.objects.bulk_create(rows, ignore_conflicts=True)
        return mine.filter(cancel_asked=True).exists()

    if written(write, within_s=LEASE_S):
        raise Cancelled


def _end(experiment: Experiment, state: State, **more: Any) -> Experiment:
    """Unless it was taken for dead: then that stands."""
    mine = Experiment.objects.filter(pk=experiment.pk, state=State.RUNNING)
    ended = {"state": state, "ended_at": Now(), "lease_until": None, **more}
    written(lambda: mine.update(**ended), within_s=LEASE_S)
    events.publish(TOPIC)
    experiment.refresh_from_db()
    return experiment


@contextlib.contextmanager
def _swept() -> Iterator[None]:
    """What this process had before is no block's to look through, as it is none of a worker's."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
