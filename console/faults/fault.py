"""What a fault is made of, and why one cannot be caused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

type Memo = Mapping[str, str]
"""What has to be known to heal, by a process that did not cause it."""


class CannotCause(Exception):
    """Says what is missing here, and how it is brought."""


def _nothing(_memo: Memo) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`prepare` looks whether it can be caused, and changes nothing; CannotCause where not. `cause`
    begins it, `keep` is called each second, `heal` ends it: once or often, begun or not. `rule` is
    the alert that it raises; "": none.
    """

    name: str
    does: str
    look: str
    rule: str
    runbook: str
    prepare: Callable[[], Memo]
    cause: Callable[[Memo], None]
    heal: Callable[[Memo], None]
    keep: Callable[[Memo], None] = _nothing
