"""What an alert's subject is about, where two rules name the same thing in different words."""

from typing import Final

_NODE: Final = "node:"


def node_of_breaker(name: str) -> str:
    """The label of the node that a breaker `node:<label>:<class>` stands before, as it is in that
    name, with '~' for '#'; "" of any other. A label may hold colons, a class holds none.
    """
    return name.removeprefix(_NODE).rpartition(":")[0] if name.startswith(_NODE) else ""


def concerns(cause: str, subject: str) -> bool:
    """Whether what is said of `cause` says something of `subject`: it is the same, or its node's
    breaker, or one of them is about no one in particular.
    """
    if not cause or not subject or cause == subject:
        return True
    return node_of_breaker(subject) == cause.replace("#", "~")
