"""How many connections the processes of a fleet may hold at once, by their kind."""

from dataclasses import dataclass
from typing import Final

# A worker child keeps one for its chunks; a task of Celery's opens Django's for as long as it runs.
# Two at full load were seen to hold four.
A_WORKER: Final = 2
# Beside its pool a web process has one that follows flags, one for /readyz, and one that collects.
A_WEB_BESIDE_ITS_POOL: Final = 3
# `manage.py` at a terminal.
COMMANDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """`workers` children in all, `web` processes with a pool of `pool` connections each."""

    workers: int
    web: int
    pool: int

    @property
    def clients(self) -> int:
        return self.of_workers + self.of_web + COMMANDS

    @property
    def of_workers(self) -> int:
        return self.workers * A_WORKER

    @property
    def of_web(self) -> int:
        return self.web * (self.pool + A_WEB_BESIDE_ITS_POOL)
