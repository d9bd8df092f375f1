"""The one error of this package: a sentence for the person at the terminal."""


class EmbeddedError(Exception):
    """Says in one line what could not be started, why, and what to do about it."""
