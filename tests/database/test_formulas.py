"""The sources' formulas give the sizes that the sources compute from them."""

import pytest

from console.postgres.formulas import FORMULAS, Sizes


@pytest.mark.parametrize(
    ("formula", "cpus", "least", "most"),
    [
        ("cpu8_300", 16, 10, 128),
        ("cpu8_300", 32, 16, 256),
        ("cpu8_300", 64, 32, 300),
        ("cpu2_4", 16, 4, 36),
        ("cpu2_10", 16, 4, 42),
        ("cpu2_10", 64, 16, 100),
        ("cpu4_100", 16, 10, 64),
        ("cpu4_100", 64, 16, 100),
        # The least of a formula is more than its most here.
        ("cpu4_100", 2, 8, 8),
        ("deployment", 64, 2, 7),
    ],
)
def test_sizes_follow_the_processors(formula: str, cpus: int, least: int, most: int) -> None:
    sizes = FORMULAS[formula](cpus, 7)
    assert sizes == Sizes(least=least, most=most)
    assert sizes.waiting == 2 * most


def test_a_pool_of_one_is_allowed() -> None:
    assert FORMULAS["deployment"](4, 1) == Sizes(least=1, most=1)
