"""Drills of nodes, run in this web process: one at a time, in a turn of all that ask nodes.

The last of each node is kept a day.
"""

import asyncio
from threading import Lock

import msgspec
import redis
import structlog
from django.conf import settings

from console.access.audit import Actor
from console.access.roles import Role
from console.controls import ControlError, bounds, in_service, place_of, url_of
from console.controls.turns import turn
from monitoring import valkey
from validation import wiring
from validation.drill import DrillError, Report, Trust, drill
from validation.nodecheck.bounded import in_time
from validation.rpc import NodeUrl, RpcError

LONGEST_S = 40.0
"""After so long no further lie is told."""
_GRACE_S = 15.0
"""For what was under way by then, the true answers included."""
_MOST_OTHERS = 3
_KEPT_S = 24 * 3600
_MOST_KEPT = 64

_log = structlog.get_logger(__name__)
# A drill takes a thread and much of a core: several at once would starve the pages.
_only_one = Lock()
_kept: dict[str, Report] = {}


class Drilling(ControlError):
    """Another drill is running in this process."""


class Undrilled(ControlError):
    """The node gave nothing to drill with; the text says why."""


def is_running() -> bool:
    return _only_one.locked()


def last(label: str) -> Report | None:
    """Raises UnknownNode. Where Valkey does not answer, what this process found itself."""
    place_of(label)
    try:
        text = valkey.client().get(_key(label))
        found = msgspec.json.decode(text, type=Report) if text else None
    except (redis.RedisError, msgspec.DecodeError) as error:
        _log.warning("drill_unread", node=label, error=type(error).__name__)
        found = None
    return found or _kept.get(label)


def run(actor: Actor, label: str) -> Report:
    """Raises UnknownNode, Busy, Drilling and Undrilled. Nothing is changed, nor audited."""
    bounds.needs(actor, Role.OPERATOR, "Drilling a node")
    node = url_of(label)
    others = [url_of(other) for other in in_service() if other != label][:_MOST_OTHERS]
    if not _only_one.acquire(blocking=False):
        raise Drilling("A drill is running already, and takes up to a minute: try again then.")
    try:
        with turn():
            found = in_time(lambda: _drilled(node, others), LONGEST_S + _GRACE_S)
    finally:
        _only_one.release()
    match found:
        case Report():
            _keep(label, found)
            return found
        case str():
            raise Undrilled(found)
        case _:
            raise Undrilled(f"{label} was not done within {LONGEST_S + _GRACE_S:g} seconds.")


async def _drilled(node: NodeUrl, others: list[NodeUrl]) -> Report | str:
    """What was found; or why there is nothing, in a thread that must not fail."""
    config = wiring.rpc_config((node,), processes=1)
    honest = wiring.rpc_config(others, processes=1) if others else None
    try:
        async with asyncio.timeout(LONGEST_S + _GRACE_S):
            trust = Trust(config=config, checkpoint=settings.CHECKPOINT)
            return await drill(trust, others=honest, most_s=LONGEST_S)
    except DrillError as error:
        return str(error)
    except RpcError as error:
        return f"{node.label} could not be asked: {error.message}"
    except TimeoutError:
        return f"{node.label} was not done within {LONGEST_S + _GRACE_S:g} seconds."
    except Exception:  # noqa: BLE001 - a thread that nobody would see fail
        _log.exception("drill_failed", node=node.label)
        return "The drill failed on our side; the log has the details."


def _keep(label: str, report: Report) -> None:
    _kept.pop(label, None)
    while len(_kept) >= _MOST_KEPT:
        del _kept[next(iter(_kept))]
    _kept[label] = report
    try:
        valkey.client().set(_key(label), msgspec.json.encode(report), ex=_KEPT_S)
    except redis.RedisError as error:
        _log.warning("drill_unkept", node=label, error=type(error).__name__)


def _key(label: str) -> str:
    return f"switchyard:drill:{label}"
