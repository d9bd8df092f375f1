"""What an operator asked of runs and cannot have; each text says why and what to do."""

from validation.subjects import Malformed


class RunRefused(Exception):
    """What was asked cannot be done; the text says why and what to do."""


class MalformedItems(RunRefused):
    """Lines that are no subject; nothing was started. `malformed` holds the first of `count`."""

    def __init__(self, malformed: list[Malformed], count: int) -> None:
        self.malformed = malformed
        self.count = count
        first = malformed[0]
        super().__init__(f"{count} malformed, the first on line {first.line}: {first.reason}")


class AgreementRefused(RunRefused):
    """There are not as many nodes as are to say the same."""


class IdempotencyConflict(RunRefused):
    """The same key came with another request."""
