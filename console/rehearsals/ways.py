"""How each flag is rehearsed: on which parts of a drill's own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from console.experiments.database import taken
from console.experiments.node import PrivateNode
from console.flags import catalogue
from console.rehearsals import on_web
from console.rehearsals.drilling import Rig
from console.rehearsals.on_engine import on_engine
from console.rehearsals.on_sessions import statements
from validation import flags

type Way = Callable[[str, str], AbstractContextManager[Rig]]
"""Of a flag and its baseline."""

BESIDE: Final[Mapping[str, Way]] = {
    catalogue.WEB_COMPRESSION.key: on_web.answers,
    catalogue.WEB_COMPRESSION_THRESHOLD.key: on_web.answers,
    catalogue.EXPORTS_STREAMING.key: on_web.exports,
    catalogue.API_QUOTAS.key: on_web.calls,
    flags.STATEMENT_TIMEOUT.key: statements,
}
OF_ENGINE: Final = frozenset(flag.key for flag in flags.ALL) - BESIDE.keys()
REHEARSED: Final = frozenset(OF_ENGINE | BESIDE.keys())


@contextmanager
def rig(flag: str, baseline: str, target: str) -> Iterator[Rig]:
    """Raises KeyError for one that is not `REHEARSED`, and what its parts raise."""
    with ExitStack() as stack:
        if flag not in OF_ENGINE:
            yield stack.enter_context(BESIDE[flag](flag, baseline))
            return
        cache_url = stack.enter_context(taken())
        node = stack.enter_context(PrivateNode({}))
        yield stack.enter_context(on_engine(flag, baseline, target, node=node, cache_url=cache_url))
