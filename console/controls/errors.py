"""Why something was not done. Nothing is written where one of these is raised."""

from typing import Self

from console.controls.orders import Order


class ControlError(Exception):
    """Its text says what was asked, what stands in the way, and what to do."""


class Refused(ControlError):
    """What `field` holds cannot be wanted. The names of fields are those of the API."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field = field
        self.value = value
        self.expected = expected
        shown = value if isinstance(value, int | float | bool | None) else str(value)[:200]
        super().__init__(f"{field}: {shown!r} is not {expected}.")


class RoleTooLow(ControlError):
    pass


class UnknownBreaker(ControlError):
    pass


class UnknownNode(ControlError):
    pass


class UnknownFlag(ControlError):
    pass


class Busy(ControlError):
    """Others ask nodes just now, as many as may."""


class NotReversible(ControlError):
    pass


class Conflict(ControlError):
    """Somebody else was faster: `current` is what is wanted now."""

    def __init__(self, text: str, current: Order) -> None:
        self.current = current
        super().__init__(text)

    @classmethod
    def between(cls, seen: int | None, current: Order) -> Self | None:
        """None where `seen` is what is so, or where nobody said what they saw."""
        if seen is None or seen == current.revision:
            return None
        if not current.revision:
            text = f"Nobody changed this yet, so it has no revision {seen}: look again."
        else:
            text = (
                f"{current.actor} changed this at {current.changed_at:%H:%M:%S} UTC "
                f"(revision {current.revision}, you saw {seen}): {current.reason} "
                "Look again, then decide."
            )
        return cls(text, current)
