"""Remembers what was said last of what: what fails at every turn is one line, not thousands."""


class Said:
    """For one thread at a time."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def is_news(self, of: str, told: object) -> bool:
        """Whether this is another word of it than the last."""
        text = told if isinstance(told, str) else repr(told)
        before, self._last[of] = self._last.get(of), text
        return before != text

    def is_over(self, of: str) -> None:
        """It is well again: should it come back, it is news."""
        self._last.pop(of, None)
