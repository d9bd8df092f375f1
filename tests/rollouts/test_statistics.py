"""How often noise takes a rollout back, and how often what is slower is found: by simulation."""

from typing import Any

import numpy as np
import pytest

from console.rollouts import bounds, comparing, recording, records
from console.rollouts.comparing import Sample, verdict
from console.rollouts.records import Record, Way
from tests.rollouts.made_up import MadeUp

# Made up work of 100 treated items a second, 5 % of 2 000; enough of the others to compare with.
RATE, SHARE = 400.0, 25
RUNS, SECONDS = 30, 60
TROUBLE_AT, WITHIN = 16, 9


def lived(
    seed: int, *, seconds: int, trouble_at: int = 10_000, slow: float = 1.3, **fleet: Any
) -> int | None:
    """In which second it was taken back; None: it never was."""
    made = MadeUp(random=np.random.default_rng(seed), **({"rate": RATE, "share": SHARE} | fleet))
    by_process = made.treated_processes is not None
    way = Way(
        flag=made.flag, target=made.target, rest=made.rest, fleet="worker",
        share=None if by_process else int(made.share),
        least_units=bounds.LEAST_UNITS,
    )  # fmt: skip
    record = Record(begun_s=made.now_s)
    for second in range(seconds):
        if second == trouble_at:
            made.slow = slow
        record = recording.take(record, way, made.work(), made.now_s).record
        if is_taken_back(record, by_process=by_process):
            return second
    return None


def is_taken_back(record: Record, *, by_process: bool) -> bool:
    between = Sample.of(record.slices, by_process=by_process).between
    whole = Sample.of_stage(records.of_stage(record), between=between)
    lent, least = comparing.spread(whole), bounds.LEAST_UNITS
    found = comparing.compare(
        bounds.GUARDS, whole, least_units=2 * least, sure=comparing.SURE_OF_STAGE
    )
    if verdict(found) == "bad":
        return True
    windows = records.windows(record, least)
    samples = [Sample.of(one, by_process=by_process) for one in windows]
    found_of = [
        comparing.compare(bounds.GUARDS, one, least_units=least, lent=lent) for one in samples
    ]
    return len(found_of) == 2 and all(verdict(one) == "bad" for one in found_of)


@pytest.mark.parametrize(
    "fleet",
    [
        {"processes": 2},
        {"processes": 4, "chunk_noise": 0.5},
        {"processes": 4, "item_noise": 1.2},
        {"processes": 4, "failing": 0.01, "failing_else": 0.01},
        {"processes": 2, "treated_processes": 1},
    ],
)
def test_where_nothing_differs_nothing_is_taken_back(fleet: dict[str, Any]) -> None:
    """Half an hour of each; one window pair in four million would be, as far as theory goes."""
    back = [seed for seed in range(RUNS) if lived(seed, seconds=SECONDS, **fleet) is not None]
    assert back == []


def test_thirty_percent_are_found_within_two_windows_in_nine_of_ten() -> None:
    found = [
        lived(1000 + seed, seconds=TROUBLE_AT + WITHIN, trouble_at=TROUBLE_AT, processes=4)
        for seed in range(RUNS)
    ]
    in_time = sum(second is not None and second >= TROUBLE_AT for second in found)
    assert in_time >= 0.8 * RUNS, found


def test_a_slow_process_of_two_is_told_from_its_host_where_it_takes_three_times_as_long() -> None:
    fleet: dict[str, Any] = {"processes": 2, "treated_processes": 1, "rate": 1000.0}
    seconds = TROUBLE_AT + 2 * WITHIN
    trice = [lived(n, seconds=seconds, trouble_at=TROUBLE_AT, slow=4.0, **fleet) for n in range(8)]
    assert all(second is not None for second in trice), trice
    slightly = [lived(n, seconds=seconds, trouble_at=TROUBLE_AT, **fleet) for n in range(8)]
    assert slightly == [None] * 8


def test_failures_of_three_in_a_hundred_are_found() -> None:
    fleet: dict[str, Any] = {"processes": 4, "rate": 2000.0, "share": 25, "failing": 0.04}
    found = [lived(seed, seconds=20, **fleet) for seed in range(8)]
    assert all(second is not None for second in found), found


def test_a_cold_start_does_not_blind_it_to_what_comes_later() -> None:
    """The first half minute of a stage takes four hundred times as long, as items of empty caches
    do; two minutes later the treated take twice as long as the others.
    """
    for seed in range(4):
        made = MadeUp(random=np.random.default_rng(seed), rate=RATE, share=SHARE, mean_s=4.0)
        way = Way(
            flag=made.flag, target=made.target, rest=made.rest, fleet="worker", share=SHARE,
            least_units=bounds.LEAST_UNITS,
        )  # fmt: skip
        record, taken_back = Record(begun_s=made.now_s), None
        for second in range(190):
            made.mean_s = 4.0 if second < 30 else 0.01
            made.slow = 2.0 if second >= 170 else 1.0
            record = recording.take(record, way, made.work(), made.now_s).record
            if second > 40 and is_taken_back(record, by_process=False):
                taken_back = second
                break
        assert taken_back is not None, seed
        assert taken_back >= 170, seed


def test_of_few_cells_nothing_is_said_to_hold() -> None:
    """However many units are in them: three chunks may have gone alike by chance."""
    made = MadeUp(random=np.random.default_rng(3), rate=3000.0, share=50, chunk_noise=0.5)
    way = Way(
        flag=made.flag, target=made.target, rest=made.rest, fleet="worker", share=50,
        least_units=20,
    )  # fmt: skip
    made.processes = 1
    record = Record(begun_s=made.now_s)
    held = []
    for _ in range(14):
        record = recording.take(record, way, made.work(), made.now_s).record
        whole = Sample.of_stage(records.of_stage(record), between=0.0)
        if len(whole.cells) <= 3:
            found = comparing.compare(
                bounds.GUARDS, whole, least_units=40, sure=comparing.SURE_OF_STAGE
            )
            held += [one.held for one in found if one.metric != "error_share"]
    assert held
    assert not any(held)
