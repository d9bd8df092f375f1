"""A stage that would break a limit is refused with it; lowering and rolling back never are."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from pytest_django import Settings

from console.access.tokens import create_token
from console.capacity.foreseeing import foresee
from console.capacity.inputs import Inputs, Nodes, Pool, Postgres
from console.controls import ControlError
from console.flags import acts, clock, plans, reading
from console.flags.errors import Exceeds
from console.flags.models import Flag, PlannedStage
from monitoring import valkey
from tests.capacity import numbers as made
from tests.capacity.numbers import bouncer
from tests.flags.made import WHY, actor, person

pytestmark = pytest.mark.django_db
POOL = "db.pool_formula"
MACHINE = 32
"""Processors: CPU×8 is 256 connections then, as in the sources."""


def numbers(**more: Any) -> Inputs:
    """Of connections and files: what they take of memory is another test's."""
    return made.numbers(memory=None, **more)


@pytest.fixture(autouse=True)
def many_processors() -> Iterator[None]:
    with patch("os.cpu_count", return_value=MACHINE):
        yield


def _unrehearsed(**wanted: Any) -> Flag:
    """No drill can be made of this flag."""
    return acts.set_stage(actor("admin"), POOL, unrehearsed=True, reason=WHY, **wanted)


@pytest.fixture
def as_known() -> Iterator[Callable[[Inputs], None]]:
    with patch("console.capacity.live.look") as look:
        yield lambda inputs: setattr(look, "return_value", inputs)


def test_the_sources_formula_breaks_max_connections_and_is_foreseen() -> None:
    [broken] = foresee(POOL, "cpu8_300", inputs=numbers())
    assert broken.key == "postgres.connections"
    assert (broken.uses, broken.allows) == (8 + 2 * (256 + 4) + 9 + 5, 97)


def test_a_stage_counts_the_processes_that_it_reaches() -> None:
    inputs = numbers(pools=(Pool(processes=4, size=8),), postgres=Postgres(max_connections=340))
    assert foresee(POOL, "cpu8_300", percent=25, inputs=inputs) == ()
    assert [one.key for one in foresee(POOL, "cpu8_300", percent=26, inputs=inputs)] == [
        "postgres.connections"
    ]
    assert foresee(POOL, "cpu8_300", percent=0, inputs=inputs) == ()


def test_behind_pgbouncer_its_sizes_are_what_breaks() -> None:
    broken = foresee(POOL, "cpu8_300", inputs=numbers(bouncer=bouncer()))
    assert {one.key for one in broken} == {"pgbouncer.clients", "pgbouncer.servers"}


def test_what_was_broken_before_is_nobodys_fault_unless_it_gets_worse() -> None:
    broken = numbers(pools=(Pool(processes=9, size=8),))
    assert foresee("rpc.pool_size", "50", inputs=broken) == ()
    assert foresee(POOL, "deployment", inputs=broken) == ()
    assert foresee(POOL, "cpu8_300", inputs=broken) != ()


@pytest.mark.parametrize(
    ("key", "variant", "inputs", "breaks"),
    [
        ("rpc.pool_size", "512", numbers(), {"worker.files"}),
        ("rpc.pool_size", "50", numbers(), set()),
        ("rpc.rate_limit", "process",
         numbers(nodes=Nodes(number=1, most=256, calls=64, sockets=8, rate=50)), {"nodes.rate"}),
        ("db.statement_timeout", "7500", numbers(), set()),
        ("cache.codec", "gzip", numbers(), set()),
        ("db.pool_formula", "of_tomorrow", numbers(), set()),
        ("no.such_flag", "on", numbers(), set()),
    ],
)  # fmt: skip
def test_each_flag_that_moves_a_number(
    key: str, variant: str, inputs: Inputs, breaks: set[str]
) -> None:
    assert {one.key for one in foresee(key, variant, inputs=inputs)} == breaks


def test_without_a_collector_postgres_itself_is_asked() -> None:
    """The test's server grants 200."""
    valkey.client().flushdb()
    [broken] = foresee(POOL, "cpu8_300")
    assert (broken.key, broken.allows) == ("postgres.connections", 197)
    assert foresee(POOL, "cpu4_100") == ()


def test_without_word_of_pools_one_web_process_is_reckoned_with(no_valkey: None) -> None:
    [broken] = foresee(POOL, "cpu8_300")
    assert (broken.key, broken.holds, broken.allows) == ("postgres.connections", False, 197)
    assert foresee(POOL, "cpu2_4") == ()


UNKNOWN = numbers(bouncer=None, pooled=True)


def test_what_nobody_knows_is_not_let_through() -> None:
    found = foresee(POOL, "cpu2_4", inputs=UNKNOWN)
    assert {one.key for one in found if one.holds is None} == {
        "postgres.connections", "pgbouncer.clients", "pgbouncer.servers"
    }  # fmt: skip
    assert foresee("cache.codec", "gzip", inputs=UNKNOWN) == ()
    assert foresee("db.statement_timeout", "7500", inputs=UNKNOWN) == (), "the role's own holds"


def test_a_raise_on_what_nobody_knows_is_refused_in_words_and_lowering_is_free(
    as_known: Callable[[Inputs], None],
) -> None:
    as_known(numbers(postgres=Postgres(max_connections=200)))
    _unrehearsed(stage=5, target="cpu2_4", rest="deployment")
    as_known(UNKNOWN)
    with pytest.raises(Exceeds) as refused:
        acts.set_stage(actor(), POOL, stage=50, reason=WHY)
    said = str(refused.value)
    assert f"{POOL} at cpu2_4 on 50 % is not given to anybody" in said
    assert "not known, and no data is never fine" in said
    assert "None" not in said
    assert Flag.objects.get(pk=POOL).stage == 5
    assert acts.set_stage(actor(), POOL, stage=1, reason=WHY).stage == 1
    assert acts.roll_back(actor(), POOL, reason=WHY).stage == 0


def test_the_act_is_refused_and_nothing_is_written(as_known: Callable[[Inputs], None]) -> None:
    as_known(numbers())
    with pytest.raises(Exceeds) as refused:
        _unrehearsed(stage=100, target="cpu8_300")
    said = str(refused.value)
    assert f"{POOL} at cpu8_300 on 100 % would break a limit" in said
    assert "would be 542 of 97 connections" in said
    assert "ALTER SYSTEM SET max_connections = 545; would make room" in said
    assert Flag.objects.get(pk=POOL).target == "deployment"
    assert said in reading.preview(POOL, stage=100, target="cpu8_300").why_not


def test_rolling_back_to_a_baseline_that_does_not_fit_is_free(
    as_known: Callable[[Inputs], None],
) -> None:
    """The baseline of this flag is the formula that breaks it: whoever rolls back knows why."""
    as_known(numbers())
    assert acts.roll_back(actor(), POOL, reason=WHY).stage == 0


def test_lowering_is_free_and_raising_is_not(as_known: Callable[[Inputs], None]) -> None:
    as_known(numbers(postgres=Postgres(max_connections=200)))
    _unrehearsed(stage=50, target="cpu2_4", rest="deployment")
    as_known(numbers(postgres=Postgres(max_connections=40)))
    assert acts.set_stage(actor(), POOL, stage=25, reason=WHY).stage == 25
    with pytest.raises(Exceeds):
        acts.set_stage(actor(), POOL, stage=26, reason=WHY)


def test_a_flag_that_is_switched_on_is_judged_as_it_stands(
    as_known: Callable[[Inputs], None],
) -> None:
    Flag.objects.filter(pk=POOL).update(enabled=False, target="cpu8_300", stage=100)
    as_known(numbers())
    with pytest.raises(Exceeds):
        acts.enable(actor("admin"), POOL, reason=WHY)


def test_a_planned_stage_is_refused_when_it_is_due(as_known: Callable[[Inputs], None]) -> None:
    person()
    roomy = numbers(postgres=Postgres(max_connections=600))
    as_known(roomy)
    _unrehearsed(stage=5, target="cpu2_4", rest="deployment")
    plans.plan(actor(), POOL, through=100, reason=WHY)
    PlannedStage.objects.update(at=clock.now())
    Flag.objects.update(bake_s={})
    as_known(numbers(postgres=Postgres(max_connections=40)))
    [first, *_] = plans.run_due()
    assert first.state == PlannedStage.State.REFUSED
    assert "would break a limit" in first.note


def test_the_api_answers_409_with_the_words(
    client: Client, as_known: Callable[[Inputs], None], settings: Settings
) -> None:
    as_known(numbers())
    _, secret = create_token(person(role="admin"), "stages", "operator")
    answer = client.post(
        f"/api/v1/flags/{POOL}/stage",
        {"stage": 100, "variant": "cpu8_300", "reason": WHY},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 409
    assert "would be 542 of 97 connections" in answer.json()["detail"]


def test_it_is_an_error_of_controls() -> None:
    """So that pages, API and commands show it as they show the others."""
    assert issubclass(Exceeds, ControlError)
