"""Every rule's figures at one moment: what is known here, and what those above registered."""

from collections.abc import Callable, Mapping
from itertools import chain

import structlog

from monitoring.alerts import signals
from monitoring.alerts.looked import Looked
from monitoring.alerts.seen_fleet import FLEET
from monitoring.alerts.seen_servers import SERVERS
from monitoring.alerts.signals import Seen

log = structlog.get_logger(__name__)


def observed(looked: Looked, *, within_s: float) -> Mapping[str, Seen]:
    """By rule; one that nobody asks for is not in it."""
    ours = {key: _of(key, of, looked) for key, of in chain(SERVERS.items(), FLEET.items())}
    return {**ours, **signals.asked(within_s=within_s)}


def _of(key: str, of: Callable[[Looked], Seen], looked: Looked) -> Seen:
    try:
        return of(looked)
    except Exception:
        # A mistake in one rule's figure must not silence all others.
        log.exception("signal.failed", rule=key)
        return None
