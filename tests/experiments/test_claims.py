"""The shipped claims can be measured as they say; a file that says what cannot be is refused."""

import pytest

from console.experiments import claims
from console.experiments.claims import BadClaim
from console.experiments.workloads import WORKLOADS
from console.flags.catalogue import CATALOGUE
from console.roadmap.decisions import optimisations

_GOOD = """
[[claim]]
key = "one"
title = "One"
optimisations = ["1.6"]
flag = "rpc.fetch_mode"
baseline = "sequential"
treatment = "parallel"
metric = "item_ms"
direction = "less"
expected = -0.6
least = 0.2
kind = "validate"
source = "001, 1"
says = "faster"
"""


def test_at_least_twelve_optimisations_are_measured_by_workloads_there_are() -> None:
    known = claims.claims().values()
    assert {claim.kind for claim in known} <= set(WORKLOADS)
    assert len({claim.flag for claim in known}) >= 12
    assert len({name for claim in known for name in claim.optimisations}) >= 12


def test_every_flag_that_an_optimisation_turns_is_claimed_or_says_why_not() -> None:
    named = {claim.flag for claim in claims.claims().values()}
    named |= {each.flag for each in claims.unmeasured()}
    left = {flag.key for flag in CATALOGUE} - named
    # Of one with their neighbours: the threshold goes with the compression, quotas with the rates.
    assert left == {"web.compression_threshold", "api.quotas"}


def test_claims_name_optimisations_that_there_are() -> None:
    known = {row.id for row in optimisations()}
    for claim in claims.claims().values():
        assert set(claim.optimisations) <= known, claim.key
    for each in claims.unmeasured():
        assert set(each.optimisations) <= known, each.key


def test_a_claim_is_found_by_its_key_its_optimisation_and_its_flag() -> None:
    assert [claim.key for claim in claims.of("fetch-parallel")] == ["fetch-parallel"]
    assert {claim.key for claim in claims.of("2.5")} == {"breaker-window", "breaker-time-window"}
    assert "keep-alive" in {claim.key for claim in claims.of("rpc.keep_alive")}
    assert claims.of("nothing") == ()


def test_a_good_file_is_read() -> None:
    [claim] = claims.parse(_GOOD).claim
    assert claim.value_of("parallel") == "parallel"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('treatment = "parallel"', 'treatment = "sequential"', "is the baseline"),
        ('treatment = "parallel"', 'treatment = "quantum"', "no variant 'quantum'"),
        ("rpc.fetch_mode", "rpc.fetch", "none named 'rpc.fetch'"),
        ("least = 0.2", "least = 0.0", "least: must be above 0"),
        ("expected = -0.6", "expected = 0.6", "0.6 is not 0.2 less"),
        ('metric = "item_ms"', "metric = 3", "Expected `str`"),
        ('kind = "validate"', 'sort = "validate"', "unknown field"),
    ],
)
def test_what_cannot_be_is_refused_by_name(before: str, after: str, said: str) -> None:
    with pytest.raises(BadClaim, match=said):
        claims.parse(_GOOD.replace(before, after))


def test_two_of_one_key_are_refused() -> None:
    with pytest.raises(BadClaim, match="'one' is there twice"):
        claims.parse(_GOOD + _GOOD)
