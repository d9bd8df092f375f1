"""Why nothing was done to a rollout, besides what `console.controls.errors` names."""

from console.controls.errors import ControlError


class UnknownRollout(ControlError):
    pass


class NotNow(ControlError):
    """It is over, another one is under way, it cools down, rollouts are stopped, or nobody could
    judge it.
    """


class Stale(ControlError):
    """Somebody was faster: `revision` is what it has now."""

    def __init__(self, text: str, revision: int) -> None:
        self.revision = revision
        super().__init__(text)
