"""The answer rung by rung: each says that it was reached, or why not."""

import pytest

from validation.evidence.ladder import Standing, of_no_level, rungs
from validation.subjects import Kind
from validation.validators import REASONS, Check, Status, Verdict

PASSED = tuple(
    Check(name, Status.PASS) for name in ("answered", "well_formed", "asked", "hash", "signature")
)


def _standings(kind: Kind = Kind.TX, **answer: object) -> list[Standing]:
    told: dict[str, object] = {
        "verdict": Verdict.VALID,
        "reached": 2,
        "asked": 2,
        "reason": "ok",
        "checks": PASSED,
    }
    found = rungs(kind, **(told | answer))  # type: ignore[arg-type]
    assert [rung.level for rung in found] == [0, 1, 2, 3, 4, 5]
    assert all(rung.checks or rung.why for rung in found), "a rung that says nothing"
    return [rung.standing for rung in found]


def test_what_was_asked_is_reached_and_what_was_not_is_not() -> None:
    assert _standings()[:3] == [Standing.REACHED] * 3
    assert set(_standings()[3:]) <= {Standing.NOT_ASKED, Standing.NOT_BUILT}


def test_the_rung_of_the_check_that_failed_has_failed() -> None:
    checks = (*PASSED[:3], Check("hash", Status.FAIL, "no", "0x1", "0x2"), PASSED[4])
    found = _standings(verdict=Verdict.INVALID, reached=1, reason="hash_mismatch", checks=checks)
    assert found[:4] == [
        Standing.REACHED,
        Standing.REACHED,
        Standing.FAILED,
        Standing.NOT_TRIED,
    ]


def test_the_rung_of_a_check_that_was_skipped_is_not_reached() -> None:
    checks = (*PASSED[:3], Check("hash", Status.SKIP, "nothing here knows type 0x9"))
    found = _standings(
        verdict=Verdict.UNVERIFIABLE, reached=1, reason="unknown_type", checks=checks
    )
    assert found[:3] == [Standing.REACHED, Standing.REACHED, Standing.UNKNOWN]


@pytest.mark.parametrize(
    ("verdict", "reason"), [(Verdict.NOT_FOUND, "not_found"), (Verdict.ERROR, "node_timeout")]
)
def test_an_item_that_was_not_examined_reached_nothing(verdict: Verdict, reason: str) -> None:
    found = rungs(Kind.TX, verdict=verdict, reached=0, asked=2, reason=reason, checks=PASSED[:1])
    assert [rung.standing for rung in found[:4]] == [
        Standing.REACHED,
        Standing.UNKNOWN,
        Standing.NOT_TRIED,
        Standing.NOT_TRIED,
    ]
    assert found[1].why == REASONS[reason]


def test_an_address_has_a_rung_with_nothing_to_check() -> None:
    checks = tuple(Check(name, Status.PASS) for name in ("answered", "well_formed"))
    found = rungs(
        Kind.ADDRESS, verdict=Verdict.VALID, reached=2, asked=2, reason="ok", checks=checks
    )
    assert found[2].standing is Standing.REACHED
    assert found[2].why == "Of an address there is nothing to check at level 2."


def test_checks_of_another_release_are_of_no_rung() -> None:
    strange = Check("tomorrow", Status.PASS)
    assert of_no_level((*PASSED, strange)) == (strange,)
    found = rungs(
        Kind.TX, verdict=Verdict.VALID, reached=2, asked=2, reason="ok", checks=(*PASSED, strange)
    )
    assert strange not in {check for rung in found for check in rung.checks}
