"""Gives one message to one destination through Apprise, and says in words why it could not.

Apprise is imported by the first message: its hundred and seventy services take half a second and
thirty megabytes, which no process pays that has nothing to send. It answers no more than yes or no;
the reason goes to its log, where we listen.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from monitoring.alerts.destinations import Destination

if TYPE_CHECKING:
    from apprise import Apprise

# Apprise's own four seconds are too short for a mail server that greets slowly.
CONNECT_S: Final = 10.0
READ_S: Final = 10.0
_WORDS: Final = 300
_TYPES: Final = {"cleared": "success", "digest": "info", "test": "info"}


class Send(Protocol):
    """Gives "" once it is delivered, else why not. May take as long as it likes."""

    def __call__(
        self, destination: Destination, title: str, body: str, *, severity: str, what: str
    ) -> str: ...


def send(destination: Destination, title: str, body: str, *, severity: str, what: str) -> str:
    apprise = _of(destination)
    if apprise is None:
        return f"Apprise does not understand this address of {destination.scheme}://."
    kind = _TYPES.get(what) or ("failure" if severity == "critical" else "warning")
    with _heard() as said:
        done = apprise.notify(body, title, notify_type=kind, body_format="text")
    if done:
        return ""
    words = destination.without_secrets(" ".join(said)) or "Apprise could not deliver it."
    return words[:_WORDS]


def is_understood(destination: Destination) -> bool:
    return _of(destination) is not None


def _of(destination: Destination) -> "Apprise | None":
    """A service of its own each time: what one keeps between two messages is only a delay."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - half a second, see above

    asset = AppriseAsset(async_mode=False, storage_mode="memory", app_id="Switchyard")
    with _heard():
        plugin = Apprise.instantiate(destination.address, asset=asset)
    if plugin is None:
        return None
    if "cto=" not in destination.address:
        plugin.socket_connect_timeout = CONNECT_S
    if "rto=" not in destination.address:
        plugin.socket_read_timeout = READ_S
    found = Apprise(asset=asset)
    found.add(plugin)
    return found


class _Listener(logging.Handler):
    """Hears what is logged in one thread: others send at the same time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.said.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    listener = _Listener()
    logger = logging.getLogger("apprise")
    # What it says is told with the delivery, without the address; our log would have it whole.
    logger.propagate = False
    logger.addHandler(listener)
    try:
        yield listener.said
    finally:
        logger.removeHandler(listener)
