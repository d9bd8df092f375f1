"""How many connections the processes of a fleet may hold at once, by their kind."""

from dataclasses import dataclass
from typing import Annotated, Final, Self

import msgspec

type _Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]

# A worker child keeps one for its chunks; a task of Celery's opens Django's for as long as it runs.
# Two at full load were seen to hold four.
A_WORKER: Final = 2
# Beside its pool a web process has one that follows flags, one for /readyz, one that collects and
# one that evaluates alarms: the last two connect in every process, to ask whose turn it is.
A_WEB_BESIDE_ITS_POOL: Final = 4
# With replicas one more asks the primary how far it is, and another asks each replica.
A_WATCH: Final = 1
# Beat has no pool: what collects and what evaluates have one each, and each one of Django's
# beside it; who sends notifications has one. Each destination's sender records by its own.
A_BEAT: Final = 5
# `manage.py` at a terminal.
COMMANDS: Final = 4


class Beside(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Connections to the primary that are none of a pool's; `a_look`: of a web process, to each
    replica.
    """

    a_worker: _Count = 0
    a_web: _Count = 0
    a_look: _Count = 0
    others: _Count = 0

    @classmethod
    def of(cls, *, replicas: bool = False, destinations: int = 0) -> Self:
        """What ours open. `destinations`: as many as notifications are sent to."""
        return cls(
            a_worker=A_WORKER,
            a_web=A_WEB_BESIDE_ITS_POOL + (A_WATCH if replicas else 0),
            a_look=A_WATCH if replicas else 0,
            others=A_BEAT + destinations + COMMANDS,
        )

    def opened(self, *, workers: int, web: int, pooled: int) -> int:
        """By all at once, at most: the one sum of it. `pooled`: the sizes of all pools."""
        return pooled + workers * self.a_worker + web * self.a_web + self.others


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """`workers` children in all, `web` processes with a pool of `pool` connections each."""

    workers: int
    web: int
    pool: int
    beside: Beside = Beside.of()  # noqa: RUF009 - it is frozen

    @property
    def clients(self) -> int:
        pooled = self.web * self.pool
        return self.beside.opened(workers=self.workers, web=self.web, pooled=pooled)

    @property
    def of_workers(self) -> int:
        return self.workers * self.beside.a_worker

    @property
    def of_web(self) -> int:
        return self.web * (self.pool + self.beside.a_web)
