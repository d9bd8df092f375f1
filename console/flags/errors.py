"""Why a flag was not changed, besides what `console.controls.errors` names."""

from console.controls.errors import ControlError


class NotStageable(ControlError):
    """Nothing of ours reads it, it is off, or it has targeting of its own."""


class Frozen(ControlError):
    """Nothing may be raised now; its text says until when, and why."""


class Blocked(ControlError):
    """A requirement is not in force, or another flag of its layer stands between."""
