"""How far an optimisation is follows from its flags, and from what was found about it."""

import pytest

from console.flags.catalogue import BY_KEY
from console.flags.models import Flag
from console.roadmap import decisions, status
from console.roadmap.programmes import roadmap
from console.roadmap.status import Finding, State, Status, derive

KEY = "cache.codec"


def flag(target: str = "zstd", stage: int = 0, key: str = KEY, **fields: object) -> Flag:
    """Unsaved: its baseline on the rest."""
    baseline = BY_KEY[key].baseline
    given = {"target": target, "rest": baseline, "stage": stage, "unit": "process"}
    return Flag(key=key, baseline=baseline, **(given | fields))


def of(optimisation: str, *flags: Flag, found: tuple[Finding, ...] = ()) -> Status:
    planned = roadmap().planned[optimisation]
    known = {each.key: each for each in flags}
    return derive(decisions.by_id(optimisation), planned, known, found)


def finding(*, holds: bool | None) -> Finding:
    return Finding(optimisation="1.4", kind="evidence", key="e", holds=holds, words="measured")


def test_at_its_baseline_it_is_off() -> None:
    found = of("1.4", flag())
    assert (found.state, found.share) == (State.OFF, 0)
    assert found.words == "cache.codec: base64"


def test_at_a_stage_it_is_there_in_part() -> None:
    found = of("1.4", flag(stage=25))
    assert (found.state, found.share) == (State.PARTIAL, 25)


def test_in_force_everywhere_it_is_not_done_without_proof() -> None:
    assert of("1.4", flag(stage=100)).state is State.IN_FORCE


@pytest.mark.parametrize(
    ("holds", "state"),
    [
        ((True,), State.DONE),
        ((True, True), State.DONE),
        ((False,), State.IN_FORCE),
        ((None,), State.IN_FORCE),
        ((True, None), State.IN_FORCE),
    ],
)
def test_only_what_holds_makes_it_done(holds: tuple[bool | None, ...], state: State) -> None:
    found = tuple(finding(holds=each) for each in holds)
    assert of("1.4", flag(stage=100), found=found).state is state


def by_test(optimisation: str) -> Finding:
    return Finding(optimisation=optimisation, kind="gate", key="g", holds=True, words="held",
                   is_measured=False)  # fmt: skip


def test_a_figure_that_is_claimed_is_not_shown_by_tests() -> None:
    on = flag(stage=100)
    held = of("1.4", on, found=(by_test("1.4"),))
    assert held.state is State.IN_FORCE
    assert held.words.endswith("held by tests, nothing is measured of it")
    assert of("1.4", on, found=(by_test("1.4"), finding(holds=True))).state is State.DONE


def test_where_no_figure_is_claimed_a_test_is_enough_and_is_named() -> None:
    key = next(
        row.id for row in decisions.optimisations()
        if row.decision == "deployment" and row.built
        and all(each.low is None for each in roadmap().planned[row.id].effects)
    )  # fmt: skip
    held = of(key, found=(by_test(key),))
    assert held.state is State.DONE
    assert "held by tests" in held.words


def test_evidence_does_not_make_done_what_is_not_in_force() -> None:
    found = of("1.4", flag(stage=50), found=(finding(holds=True),))
    assert found.state is State.PARTIAL
    assert found.found


def test_a_variant_that_the_source_does_not_ask_for_is_not_it() -> None:
    key = "db.pool_formula"
    smaller = flag(key=key, target="cpu4_100", stage=100)
    assert of("io.1", smaller).state is State.IN_FORCE
    assert of("bn.3", smaller).state is State.OFF
    assert of("bn.3", flag(key=key, target="cpu4_100")).state is State.IN_FORCE


def test_of_several_flags_the_last_one_counts() -> None:
    on = flag(key="rpc.keep_alive", target="on", stage=100)
    size = flag(key="cache.l1_size", target="10000", stage=100)
    assert of("1.7", on).state is State.IN_FORCE
    assert of("1.5", size, flag(key="cache.l1_ttl", target="300", stage=5)).share == 5
    assert of("1.5", size, flag(key="cache.l1_ttl", target="300")).state is State.PARTIAL


def test_a_flag_that_is_off_gives_what_the_release_ships() -> None:
    assert of("1.4", flag(stage=0, enabled=False)).state is State.IN_FORCE
    assert of("own.1", flag(key="rpc.hedging", target="p95", stage=100, enabled=False)).share == 0


def test_without_a_flag_the_decision_says_it() -> None:
    assert of("bn.18").state is State.NOT_BUILT
    assert of("1.3").state is State.IN_FORCE
    done = of("1.8")
    assert done.state is State.DONE
    assert "test_timeouts_leave_no_timers" in done.words


def test_what_is_registered_is_asked_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_asked", {})
    assert status.findings() == {}
    status.register("evidence", lambda: [finding(holds=True)])
    status.register("gate", lambda: [finding(holds=None)])
    assert [each.holds for each in status.findings()["1.4"]] == [True, None]


@pytest.mark.parametrize("key", roadmap().planned)
def test_variants_that_are_named_are_of_its_flags(key: str) -> None:
    row, planned = decisions.by_id(key), roadmap().planned[key]
    assert planned.variants.keys() <= set(row.flags)
    for name, variants in planned.variants.items():
        assert set(variants) <= BY_KEY[name].variants.keys()
