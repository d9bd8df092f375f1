"""What a page states of a plan's power is how often whole experiments find what is there."""

import math
from collections.abc import Sequence
from random import Random
from statistics import fmean

import msgspec
import pytest

from console.experiments import powers
from console.experiments.claims import Claim
from console.experiments.judging import Block, Finding, find
from console.experiments.models import Experiment
from console.experiments.schedule import pairs_of
from tests.experiments.made_up import claim

PAIRS, TIMES = 16, 150
# Any change is worth having, so that what decides is whether it is told from none.
ANY = claim(least=1e-9, expected=None)


def simulated(true: float, *, noise: float, seed: int) -> Finding:
    """All blocks of an experiment on a machine that is now faster, now slower."""
    chance, blocks = Random(seed), list[Block]()
    for pair in pairs_of(ANY.baseline, ANY.treatment, pairs=PAIRS, seed=seed):
        machine = chance.gauss(0, 0.3)
        for arm in pair.arms:
            level = math.log1p(true) if arm.variant == ANY.treatment else 0.0
            figure = math.exp(machine + level + chance.gauss(0, noise))
            blocks.append(
                Block(
                    pair=pair.number,
                    kind=pair.kind,
                    side=arm.side,
                    variant=arm.variant,
                    figures={ANY.metric: figure},
                )
            )
    return find(ANY, blocks, seed=seed)


def stated(findings: Sequence[Finding], true: float, of: Claim) -> float:
    """On the pages of such experiments, on average."""
    told = []
    for finding in findings:
        made = Experiment(claimed=msgspec.to_builtins(of), found=dict(finding.found))
        told += [each.share for each in powers.finds(made) if each.true == pytest.approx(true)]
    assert len(told) == len(findings)
    return fmean(told)


@pytest.mark.parametrize(("true", "noise"), [(-0.05, 0.03), (-0.10, 0.06), (-0.30, 0.20)])
def test_effects_are_found_as_often_as_pages_state(true: float, noise: float) -> None:
    findings = [simulated(true, noise=noise, seed=seed) for seed in range(TIMES)]
    proved = sum(finding.judged.verdict == "proved" for finding in findings) / TIMES
    told = stated(findings, true, ANY)
    assert 0.3 < told < 1.0
    assert proved == pytest.approx(told, abs=0.12)


def test_of_two_hundred_whole_experiments_of_nothing_eighteen_at_most_are_proved() -> None:
    proved = [
        seed
        for seed in range(200)
        if simulated(0.0, noise=0.05, seed=seed).judged.verdict == "proved"
    ]
    assert len(proved) <= 18
