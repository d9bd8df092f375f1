"""What blocks amount to: guards, carry-over and missing figures take a verdict back."""

from collections.abc import Callable
from random import Random

import pytest

from console.experiments.claims import Claim, Guard
from console.experiments.evidence import NoEvidence
from console.experiments.judging import Block, find
from console.experiments.schedule import pairs_of
from tests.experiments.made_up import claim

type Figure = Callable[[str, str | None], dict[str, float]]
"""Of a block's variant, and that of the block before."""


def blocks(wanted: Claim, figure: Figure, *, pairs: int = 12) -> list[Block]:
    found: list[Block] = []
    for pair in pairs_of(wanted.baseline, wanted.treatment, pairs=pairs, seed=5):
        for arm in pair.arms:
            before = found[-1].variant if found else None
            figures = figure(arm.variant, before)
            found.append(
                Block(
                    pair=pair.number,
                    kind=pair.kind,
                    side=arm.side,
                    variant=arm.variant,
                    figures=figures,
                )
            )
    return found


def noisy(treated: float, *, spread: float = 0.02, seed: int = 1) -> Figure:
    chance = Random(seed)

    def figure(variant: str, _before: str | None) -> dict[str, float]:
        level = treated if variant == "parallel" else 10.0
        return {"item_ms": chance.lognormvariate(0, spread) * level, "cpu_us": 1.0}

    return figure


def test_what_is_much_less_is_proved_and_its_claim_may_be_true() -> None:
    finding = find(claim(), blocks(claim(), noisy(3.9)), seed=1)
    assert finding.judged.verdict == "proved"
    assert finding.found["claimed_reached"] is True
    assert finding.found["means"]["baseline"] == pytest.approx(10, rel=0.05)


def test_what_is_worth_having_is_proved_though_its_claim_is_not_reached() -> None:
    finding = find(claim(), blocks(claim(), noisy(7.0)), seed=1)
    assert finding.judged.verdict == "proved"
    assert finding.found["claimed_reached"] is False


def test_what_changes_nothing_is_refuted() -> None:
    assert find(claim(), blocks(claim(), noisy(10.0)), seed=1).judged.verdict == "refuted"


def test_what_the_noise_hides_is_inconclusive() -> None:
    finding = find(claim(), blocks(claim(), noisy(7.5, spread=0.6)), seed=1)
    assert finding.judged.verdict == "inconclusive"


def test_a_broken_guard_takes_the_proof_back() -> None:
    guarded = claim(guards=(Guard(metric="cpu_us", most=0.1),))
    chance = Random(2)

    def dearer(variant: str, before: str | None) -> dict[str, float]:
        cost = 1.5 if variant == "parallel" else 1.0
        return {**noisy(4.0)(variant, before), "cpu_us": cost * chance.lognormvariate(0, 0.01)}

    finding = find(guarded, blocks(guarded, dearer), seed=1)
    assert finding.judged.verdict == "inconclusive"
    assert "But cpu_us changed by +5" in finding.judged.why
    assert [guard["held"] for guard in finding.found["guards"]] == [False]


def test_an_effect_that_stays_for_the_next_block_takes_the_proof_back() -> None:
    chance = Random(3)

    def lingering(variant: str, before: str | None) -> dict[str, float]:
        level = {"parallel": 3.0, "sequential": 10.0}
        drawn = level[variant] if before is None else (level[variant] * level[before]) ** 0.5
        return {"item_ms": drawn * chance.lognormvariate(0, 0.01)}

    finding = find(claim(), blocks(claim(), lingering), seed=1)
    assert finding.judged.verdict == "inconclusive"
    assert "the washout is too short" in finding.judged.why


def test_a_figure_that_no_block_measures_is_no_evidence() -> None:
    with pytest.raises(NoEvidence, match="item_ms: no block measures it; measured are wall"):
        find(claim(), blocks(claim(), lambda _variant, _before: {"wall": 1.0}), seed=1)


def test_a_ratio_of_zero_is_no_evidence() -> None:
    with pytest.raises(NoEvidence, match="compare differences"):
        find(claim(), blocks(claim(), lambda _variant, _before: {"item_ms": 0.0}), seed=1)
