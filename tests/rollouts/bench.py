"""A rollout over made-up work: each tick a second passes, by Postgres' clock as by the fleet's."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from console.access.audit import Actor
from console.flags import acts as flag_acts
from console.flags import clock
from console.flags.models import Flag
from console.rollouts import beginning, controller, gating
from console.rollouts.models import Rollout, RolloutStep
from monitoring.arms import Told
from tests.flags.made import actor
from tests.rehearsals.made_up import drilled
from tests.rollouts.made_up import START_S, MadeUp

FLAG, BASELINE, TARGET = "rpc.fetch_mode", "sequential", "coalesced"
WHY = "It was faster wherever it was measured"
# As long as a stage needs to know enough of a quiet fleet.
BAKE_S = 40
TERMINAL = Actor.at_terminal("ops@here")


def at_baseline(key: str = FLAG) -> Flag:
    """All units have the flag's baseline, and its drill went well."""
    it = Flag.objects.get(pk=key)
    if it.rest != it.baseline or it.stage:
        flag_acts.roll_back(actor("admin"), key, reason=WHY)
    return Flag.objects.get(pk=key)


def started(key: str = FLAG, target: str = TARGET, **given: Any) -> Rollout:
    at_baseline(key)
    drilled(key, target)
    wanted: dict[str, Any] = {"bake_s": BAKE_S, "reason": WHY} | given
    return beginning.start(wanted.pop("actor", TERMINAL), key, target, **wanted)


class Bench:
    """Whose fleet follows the flag's stage, as a real one would."""

    def __init__(self, row: Rollout, fleet: MadeUp | None = None) -> None:
        self.pk, self.key = row.pk, row.flag
        self.fleet = fleet or MadeUp(flag=row.flag, target=row.target, rest=row.rest)
        self._ahead_s = clock.now().timestamp() - START_S
        # Nothing of it can be read.
        self.is_away = False
        # At once, and on the test's own connection.
        self.gates = gating.Kept(start=lambda work: work())
        # Which process leads.
        self.leader = "web:1"

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.fleet.now_s + self._ahead_s, UTC)

    def tick(self, times: int = 1, *, seconds: float = 1.0) -> list[str]:
        """What was decided, without the waiting."""
        decided: list[str] = []
        for _ in range(times):
            self.fleet.share = self.flag.stage if self.flag.target == self.fleet.target else 0
            made = controller.turn(
                self._heard(seconds), gates=self.gates, now=self.now, me=self.leader
            )
            decided += [
                one.decision for one in made if one.rollout == self.pk and one.decision != "wait"
            ]
        return decided

    def _heard(self, seconds: float) -> Callable[[], Sequence[Told] | None]:
        told = self.fleet.work(seconds)
        return lambda: None if self.is_away else told

    @property
    def row(self) -> Rollout:
        return Rollout.objects.get(pk=self.pk)

    @property
    def flag(self) -> Flag:
        return Flag.objects.get(pk=self.key)

    @property
    def log(self) -> list[tuple[str, int]]:
        steps = RolloutStep.objects.filter(rollout_id=self.pk)
        return [(step.decision, step.stage) for step in steps]
