"""The order of blocks: mixed, balanced, and the same again for the same seed."""

from collections import Counter

from console.experiments.schedule import pairs_of


def test_both_kinds_come_as_often_and_either_arm_begins_half_of_them() -> None:
    pairs = pairs_of("off", "on", pairs=12, seed=1)
    assert Counter(pair.kind for pair in pairs) == {"ab": 12, "aa": 12}
    for kind in ("ab", "aa"):
        begun = Counter(pair.arms[0].side for pair in pairs if pair.kind == kind)
        assert begun == {"a": 6, "b": 6}


def test_the_baseline_stands_against_itself_in_a_pair_of_its_kind() -> None:
    for pair in pairs_of("off", "on", pairs=8, seed=2):
        variants = {arm.side: arm.variant for arm in pair.arms}
        assert variants == {"a": "off", "b": "on" if pair.kind == "ab" else "off"}


def test_a_seed_gives_one_order_and_another_seed_another() -> None:
    first = pairs_of("off", "on", pairs=12, seed=3)
    assert first == pairs_of("off", "on", pairs=12, seed=3)
    assert first != pairs_of("off", "on", pairs=12, seed=4)
