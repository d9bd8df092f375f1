"""Why a flag was not changed, besides what `console.controls.errors` names."""

from console.controls.errors import ControlError


class NotStageable(ControlError):
    """Nothing of ours reads it, it is off, or it has targeting of its own."""


class Frozen(ControlError):
    """Nothing may be raised now; its text says until when, and why."""


class Blocked(ControlError):
    """A requirement is not in force, or another flag of its layer stands between."""


class OneWay(ControlError):
    """A drill showed that it cannot be taken back."""


class Unrehearsed(ControlError):
    """No drill of this code has shown that it can be taken back. `variant`: what one would be of;
    "" where it cannot be rehearsed.
    """

    def __init__(self, text: str, variant: str) -> None:
        super().__init__(text)
        self.variant = variant


class Exceeds(ControlError):
    """What would be given to so many does not fit the deployment; names the limits."""
