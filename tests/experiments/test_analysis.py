"""What is called proved is true as often as is said, and what is true is found as often."""

import math
from itertools import pairwise

import numpy as np
import pytest

from console.roadmap import analysis
from console.roadmap.analysis import carry_over, effect
from console.roadmap.effects import Direction, Effect, judge, power

PAIRS = 20


def blocks(chance: np.random.Generator, true: float, *, pairs: int = PAIRS, noise: float = 0.05
           ) -> tuple[list[float], list[float]]:  # fmt: skip
    """Both arms of an experiment on a machine that is now faster, now slower."""
    machine = chance.normal(0, 0.3, pairs)
    arms = [machine + chance.normal(0, noise, pairs) for _ in range(2)]
    arms[1] = arms[1] + math.log1p(true)
    return list(np.exp(arms[0])), list(np.exp(arms[1]))


def found(seed: int, true: float, *, pairs: int = PAIRS, noise: float = 0.05) -> Effect:
    before, after = blocks(np.random.default_rng(seed), true, pairs=pairs, noise=noise)
    return effect(before, after, seed=seed)


def test_of_two_hundred_that_differ_in_nothing_eighteen_at_most_are_proved() -> None:
    """99 % of all such series hold the bound, where five in a hundred are called an effect."""
    verdicts = []
    for seed in range(200):
        same = found(seed, 0.0)
        # The hardest case: any change at all is worth having, in whichever direction it seems.
        direction: Direction = "less" if same.estimate < 0 else "more"
        verdicts.append(judge(same, direction=direction, least=1e-9, noise=None).verdict)
    assert verdicts.count("proved") <= 18


@pytest.mark.parametrize("pairs", [8, 12, 30])
def test_the_interval_holds_the_truth_as_often_as_it_says(pairs: int) -> None:
    held = 0
    for seed in range(400):
        one = found(seed, -0.3, pairs=pairs)
        held += one.low <= -0.3 <= one.high
    # 95 % of 400, less what chance may take off it once in a thousand series.
    assert held >= 400 * 0.95 - 3.1 * math.sqrt(400 * 0.95 * 0.05)


@pytest.mark.parametrize(("true", "noise"), [(-0.05, 0.05), (-0.10, 0.08), (-0.30, 0.25)])
def test_an_effect_is_found_as_often_as_the_power_says(true: float, noise: float) -> None:
    least = 0.01
    found_ = sum(
        judge(found(seed, true, noise=noise), direction="less", least=least, noise=None).verdict
        == "proved"
        for seed in range(200)
    )
    stated = power(true, spread=noise * math.sqrt(2), pairs=PAIRS, least=least, direction="less")
    assert 0.3 < stated <= 1.0
    # The bootstrap's interval is a little wider than the normal one that the power is computed of.
    assert found_ / 200 == pytest.approx(stated, abs=0.12)


def test_what_is_proved_the_other_way_round_is_refuted() -> None:
    more = found(1, 0.4)
    assert judge(more, direction="less", least=0.05, noise=None).verdict == "refuted"
    assert judge(more, direction="more", least=0.05, noise=None).verdict == "proved"


def test_a_true_effect_below_what_was_claimed_is_refuted_not_proved() -> None:
    small = found(2, -0.10, noise=0.01)
    assert judge(small, direction="less", least=0.45, noise=None).verdict == "refuted"
    assert judge(small, direction="less", least=0.02, noise=None).verdict == "proved"


def test_what_might_be_either_is_inconclusive_and_says_between_what() -> None:
    judged = judge(found(3, -0.10, noise=0.3), direction="less", least=0.10, noise=None)
    assert judged.verdict == "inconclusive"
    assert "between" in judged.why
    assert "10.0%" in judged.why


def test_what_the_noise_alone_brings_about_proves_nothing() -> None:
    real = found(4, -0.05, noise=0.01)
    noisy = found(5, 0.0, noise=0.5)
    assert judge(real, direction="less", least=0.01, noise=None).verdict == "proved"
    judged = judge(real, direction="less", least=0.01, noise=noisy)
    assert judged.verdict == "inconclusive"
    assert "against itself" in judged.why


def test_what_is_counted_and_always_the_same_needs_no_interval() -> None:
    counted = effect([300.0] * 10, [100.0] * 10, seed=0)
    assert [counted.low, counted.high] == pytest.approx([-2 / 3, -2 / 3])
    assert judge(counted, direction="less", least=0.5, noise=None).verdict == "proved"


def test_differences_take_what_ratios_cannot() -> None:
    failures = [[5.0, 7.0, 4.0, 6.0, 5.0, 8.0, 6.0, 5.0], [0.0] * 8]
    with pytest.raises(ValueError, match="above zero"):
        effect(*failures, seed=0)
    fewer = effect(*failures, seed=0, scale="difference")
    assert fewer.estimate == pytest.approx(-5.75)
    assert judge(fewer, direction="less", least=2, noise=None).verdict == "proved"


def test_too_few_pairs_say_nothing() -> None:
    with pytest.raises(analysis.TooFewPairs, match="7 pairs: at least 8"):
        effect([1.0] * 7, [1.0] * 7, seed=0)


def carried(arms: list[str], *, share: float, seed: int = 0) -> list[float]:
    """Blocks whose beginning is still under the arm before: a warm cache, connections that are
    open. `share` of each block's figure is its predecessor's.
    """
    chance = np.random.default_rng(seed)
    level = {"a": 100.0, "b": 70.0}
    own = [level[arm] * math.exp(chance.normal(0, 0.02)) for arm in arms]
    return [own[0]] + [
        (1 - share) * now + share * level[before]
        for (before, _), now in zip(pairwise(arms), own[1:], strict=True)
    ]


def orders(seed: int, pairs: int) -> list[str]:
    chance = np.random.default_rng(seed)
    return [arm for _ in range(pairs) for arm in (("a", "b") if chance.random() < 0.5 else "ba")]


def of_arms(values: list[float], arms: list[str]) -> Effect:
    split = {arm: [v for v, own in zip(values, arms, strict=True) if own == arm] for arm in "ab"}
    return effect(split["a"], split["b"], seed=1)


def test_carry_over_is_found_and_biases_whoever_does_not_wash_it_out() -> None:
    arms = orders(seed=6, pairs=40)
    tainted, washed = carried(arms, share=0.4), carried(arms, share=0.0)
    found_ = carry_over(tainted, arms, seed=1)
    clean = carry_over(washed, arms, seed=1)
    assert found_ is not None
    assert clean is not None
    assert found_.low > 0.05
    assert clean.low <= 0 <= clean.high
    # The truth is 30 % less: the naive estimate misses it, the washed one does not.
    naive, ours = of_arms(tainted, arms), of_arms(washed, arms)
    assert not naive.low <= -0.3 <= naive.high
    assert ours.low <= -0.3 <= ours.high


def test_too_few_changes_of_arm_tell_nothing_of_carry_over() -> None:
    assert carry_over([1.0] * 6, list("ababab"), seed=0) is None
