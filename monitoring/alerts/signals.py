"""What only those above know: they register whom to ask, by the rule that the answer is for."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.rules import Observation
from monitoring.collectors.outcome import ILL

log = structlog.get_logger(__name__)

type Ask = Callable[[], Iterable[Observation]]
# None: not known now.
type Seen = tuple[Observation, ...] | None

_asks: Final[dict[str, Ask]] = {}
_lock: Final = threading.Lock()
# More subjects of one rule than anybody reads.
_MOST: Final = 200


def register(rule_key: str, ask: Ask) -> None:
    """`ask` is called at every turn, in a thread, and answers soon; once more replaces it. Whatever
    it raises, its figures are not known then.
    """
    if rule_key not in RULES:
        raise ValueError(f"There is no rule {rule_key!r} to ask for.")
    with _lock:
        _asks[rule_key] = ask


def unregister(rule_key: str) -> None:
    with _lock:
        _asks.pop(rule_key, None)


def asked(*, within_s: float, clock: Callable[[], float] = time.monotonic) -> Mapping[str, Seen]:
    """An answer of each; those that there is no time for are not known, and asked first next time:
    slow ones must not keep the same others from being asked for ever.
    """
    with _lock:
        asks = dict(_asks)
    ends_at = clock() + within_s
    found: dict[str, Seen] = {}
    for key, ask in asks.items():
        if clock() >= ends_at:
            _asked_last(found)
            break
        found[key] = _answer(key, ask)
    return {key: found.get(key) for key in asks}


def _asked_last(keys: Iterable[str]) -> None:
    with _lock:
        for key in keys:
            if key in _asks:
                _asks[key] = _asks.pop(key)


def _answer(key: str, ask: Ask) -> Seen:
    try:
        return tuple(ask())[:_MOST]
    except ILL as exc:
        log.warning("signal.not_read", rule=key, error=type(exc).__name__)
    except Exception:
        # One that is ill must not silence all others; that it is shows in the log, and as no data.
        log.exception("signal.failed", rule=key)
    return None
