"""The lists of states in four places name the same ones, so that none is ever shown as unknown."""

from console.controls.bounds import MODES
from console.fleetview.breakers import WORST
from console.pages import states
from monitoring.gauges import BREAKER_STATES
from validation.resilience import State


def test_every_list_of_states_knows_every_state() -> None:
    known = {state.value for state in State}
    assert set(WORST) == set(BREAKER_STATES) == set(states.BREAKERS) == known
    assert len(WORST) == len(BREAKER_STATES) == len(known)


def test_what_operators_may_want_are_the_states_that_no_breaker_takes_by_itself() -> None:
    assert set(MODES) == {state.value for state in State} - {"closed", "open", "half_open"}
