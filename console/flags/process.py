"""The flags of one process: its provider, registered where it is asked, and its last known good."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from django.conf import settings
from openfeature import api
from openfeature.exception import OpenFeatureError

from console.flags import last_known_good
from console.flags.keeping import Held, Keeper
from console.flags.last_known_good import Unusable
from console.flags.provider import FlagProvider
from validation.flags import DOMAIN

CONSOLE: Final = "console"
_DOMAINS: Final = (DOMAIN, CONSOLE)

log = structlog.get_logger(__name__)


def worker_flags() -> "ProcessFlags":
    """What `settings.FLAG_SOURCE` names: the source of a process that works on items."""
    return ProcessFlags(path())


def path() -> Path:
    """Of the last known good, which all processes of this machine share."""
    return Path(settings.VAR_DIR) / last_known_good.NAME


class ProcessFlags:
    """To be made after the fork. `refresh` is for one thread at a time."""

    def __init__(
        self, path: Path, *, provider: FlagProvider | None = None, domains: Sequence[str] = _DOMAINS
    ) -> None:
        self.provider = provider or FlagProvider()
        self._path = path
        self._domains = domains
        self._keeper = Keeper(path)

    @property
    def revision(self) -> int:
        return self.provider.revision

    @property
    def is_timed(self) -> bool:
        return self.provider.is_timed

    def start(self) -> None:
        """Begins with what held last; asks nobody."""
        self._load()
        for domain in self._domains:
            api.set_provider_and_wait(self.provider, domain)

    def refresh(self, connection: psycopg.Connection[Any]) -> bool:
        """True where something changed. Raises psycopg's errors; what was known holds then."""
        before, asked_at = self.revision, time.time()
        is_new = self.provider.refresh(connection)
        if is_new:
            log.info("flags.changed", revision=self.revision)
            self._keeper.keep(
                Held(
                    document=self.provider.document,
                    revision=self.revision,
                    read_at=asked_at,
                    is_restored=self.revision < before,
                )
            )
        return is_new

    def stop(self) -> None:
        """The provider stays registered: what still works is answered as before."""
        self._keeper.stop()

    def _load(self) -> None:
        try:
            kept = last_known_good.load(self._path)
            if kept is not None:
                self.provider.set_document(kept.document, kept.revision)
        except (Unusable, OSError, OpenFeatureError, LookupError, TypeError, AttributeError) as exc:
            log.warning(
                "flags.last_known_good_refused",
                file=str(self._path),
                reason=str(exc) or f"no flags of flagd's format: {type(exc).__name__}",
                do="nothing: the release's own defaults hold until Postgres is read",
            )
