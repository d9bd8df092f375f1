"""What operators want of this process: read from Postgres, obeyed here, acknowledged by a number.

Plain SQL on a psycopg connection, so that a worker reads on the one it has. Ends are carried as
seconds left and kept by this process's own clock: what was forced ends in time without anybody.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import msgspec
import psycopg
import structlog

from validation import node_table
from validation.node_table import NodesWish
from validation.resilience import THRESHOLDS, Override
from validation.resilience.states import FORCED
from validation.rpc import NodeUrl

__all__ = [
    "Breakers",
    "Cache",
    "Changes",
    "Desired",
    "Flags",
    "Nodes",
    "NodesWish",
    "Obedience",
    "read",
]

log = structlog.get_logger(__name__)

# Nothing that is cached lives this long: an older purge has nothing left to find.
PURGES_MATTER_S = 2 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One row of what is wanted. `kind` is "breaker", "l1", "nodes" or "flags" (their table
    changed), or "purge" (`name` is the tag then).
    """

    kind: str
    name: str
    # Of a breaker, for `for_s` seconds from now; "" leaves it to itself.
    mode: str
    for_s: float | None
    # For `tuned_for_s` seconds from now, over those that last.
    settings: Mapping[str, float]
    tuned_for_s: float | None
    lasting: Mapping[str, float]
    # When it was last reset, as a revision.
    reset_revision: int
    revision: int
    # How long ago it was wanted, by the database's clock.
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is newer than a process knew. `whole`: the rows are all there are, not only the new."""

    revision: int
    rows: tuple[Desired, ...]
    whole: bool


def read(connection: psycopg.Connection[Any], known: int) -> Changes:
    """One statement, so that the revision and the rows are of one moment.

    A revision lower than `known` is another database, or this one restored: then all is read.
    """
    rows = connection.execute(_READ, {"known": known, "purges": PURGES_MATTER_S}).fetchall()
    revision = rows[0][0]
    if revision < known:
        return read(connection, 0)
    wanted = tuple(_desired(row) for row in rows if row[1] is not None)
    return Changes(revision=revision, rows=wanted, whole=known == 0)


class Breakers(Protocol):
    """A process's breakers, those made later included: `validation.resilience.Breakers`."""

    def apply(self, name: str, override: Override | None) -> None:
        """Replaces what was wanted of `name`; empty or None leaves it to itself."""

    def reset(self, name: str) -> None: ...


class Cache(Protocol):
    """A process's cache: `validation.cache.Steering`. Done when it returns, else it raises."""

    def resize(self, settings: Mapping[str, float], *, revision: int) -> None:
        """Replaces the configured bounds of L1 by those named; none named: as configured."""

    def purge(self, tag: str, *, age_s: float, revision: int) -> None:
        """Drops what carries `tag` and is older than `age_s`; once more does no harm."""


class Nodes(Protocol):
    """A process's nodes: `validation.fleet_engine.FleetEngine`."""

    @property
    def configured(self) -> tuple[NodeUrl, ...]:
        """Those of NODE_URLS."""

    def set_nodes(self, nodes: tuple[NodeUrl, ...], *, watched: tuple[NodeUrl, ...] = ()) -> None:
        """Asks these from now on, none of them too; those watched do no work."""


class Flags(Protocol):
    """A process's flags: `validation.heeding.Heeding`."""

    def refresh(self, connection: psycopg.Connection[Any]) -> None:
        """Reads them. Raises psycopg's errors; what was known holds then."""

    def obey(self) -> None:
        """They are in force when it returns; raises where some are not."""


class Obedience:
    """Applies what is wanted. Its ends come without Postgres: breakers end theirs themselves, and
    those of L1 are remembered.

    Not for use by two threads at once: the caller serialises.
    """

    def __init__(
        self,
        breakers: Breakers,
        cache: Cache,
        *,
        nodes: Nodes | None = None,
        flags: Flags | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._breakers = breakers
        self._cache = cache
        self._nodes = nodes
        self._flags = flags
        self._wish: NodesWish | None = None
        self._clock = clock
        self._standing: dict[tuple[str, str], _Standing] = {}
        self._resets: dict[str, int] = {}
        # By revision, and whether whole: what is read again because another wish cannot be done
        # is not done again.
        self._done: dict[int, bool] = {}
        self._purged: set[int] = set()
        self._told: set[int] = set()
        self._server: psycopg.Connection[Any] | None = None
        self._seen = 0
        # The newest revision that this process obeys whole; None: it has read nothing yet.
        self.revision: int | None = None

    def heed(self, connection: psycopg.Connection[Any]) -> bool:
        """Reads what is new and obeys; True where something was. Raises psycopg's errors."""
        # Another connection may lead to another server, with rows of its own under old numbers.
        same, before = connection is self._server, self.revision
        changes = read(connection, (before or 0) if same else 0)
        self._server = None  # should this end midway, all is read again
        is_new = not same or changes.revision < self._seen
        if changes.revision < self._seen:
            # Restored, or another: numbers that come were used before.
            changes = changes if changes.whole else read(connection, 0)
            self._begin_anew()
        elif not same:
            self._done.clear()
        if is_new or any(row.kind == "nodes" for row in changes.rows):
            self._read_nodes(connection, seed=is_new)
        if is_new:
            self._set_nodes()  # also where no row says so: another server has another table
        if self._flags is not None and (is_new or any(row.kind == "flags" for row in changes.rows)):
            self._flags.refresh(connection)
        failed = [row.revision for row in changes.rows if not self._meets(row)]
        if changes.whole:
            self._forget_all_but({(row.kind, row.name) for row in changes.rows})
        # What could not be done is not acknowledged, and is tried again the next time.
        self.revision = min([changes.revision + 1, *failed]) - 1
        self._forget_done(self.revision)
        self._server, self._seen = connection, changes.revision
        return self.revision != before

    def _read_nodes(self, connection: psycopg.Connection[Any], *, seed: bool) -> None:
        """After the revision: what is read may be newer than that, never older."""
        if self._nodes is not None:
            configured = self._nodes.configured
            if seed:
                node_table.seed(connection, configured)
            self._wish = node_table.read(connection, configured)

    def _set_nodes(self) -> bool:
        """False where some of them cannot be asked by this release."""
        if self._nodes is None or self._wish is None:
            return True
        self._nodes.set_nodes(self._wish.in_service, watched=self._wish.watched)
        return not self._wish.unreadable

    def tend(self) -> None:
        """Ends what has ended. Needs nobody, and never raises."""
        now = self._clock()
        for (kind, name), standing in self._standing.items():
            if standing.next_end > now:
                continue
            try:
                self._enforce(standing)
            except Exception:
                log.exception("control.not_ended", kind=kind, name=name)
                standing.next_end = now  # again the next time

    def _meets(self, row: Desired) -> bool:
        """Whether the row is obeyed whole, now or since before."""
        revision = row.revision
        if revision not in self._done:
            try:
                self._done[revision] = self._obeys(row)
            except Exception:
                # One wish that cannot be done keeps nobody from the others, nor from items.
                if revision not in self._told:  # the first time, not each time
                    log.exception("control.failed", kind=row.kind, name=row.name, revision=revision)
                    self._told.add(revision)
                return False
        return self._done[revision]

    def _obeys(self, row: Desired) -> bool:
        if row.kind == "purge":
            if row.revision > (self.revision or 0) and row.revision not in self._purged:
                self._cache.purge(row.name, age_s=row.age_s, revision=row.revision)
                self._purged.add(row.revision)
            return True
        if row.kind == "nodes":
            return self._set_nodes()
        if row.kind == "flags":
            if self._flags is not None:
                self._flags.obey()
            return True
        standing = _Standing(row, self._clock())
        if row.kind == "breaker" and row.reset_revision > self._resets.get(row.name, 0):
            self._breakers.reset(row.name)
            self._resets[row.name] = row.reset_revision
        is_whole = self._enforce(standing)
        self._standing[row.kind, row.name] = standing
        return is_whole

    def _enforce(self, standing: "_Standing") -> bool:
        """False where only a part of it can be obeyed: what this release knows."""
        wanted = standing.wanted
        if wanted.kind == "l1":
            settings = standing.sizes(self._clock())
            self._cache.resize(settings, revision=wanted.revision)
            return True
        override, refusals = _override(wanted)
        self._breakers.apply(wanted.name, override)
        if refusals:
            log.error(
                "control.obeyed_in_part",
                name=wanted.name,
                revision=wanted.revision,
                refused=refusals,
                do="upgrade this process, or want of the breaker what it knows",
            )
        return not refusals

    def _begin_anew(self) -> None:
        self.revision = None
        self._forget_all_but(set())
        self._resets.clear()
        self._forget_done(None)

    def _forget_all_but(self, named: set[tuple[str, str]]) -> None:
        for key in self._standing.keys() - named:
            kind, name = key
            if kind == "l1":
                self._cache.resize({}, revision=0)
            else:
                self._breakers.apply(name, None)
            del self._standing[key]

    def _forget_done(self, upto: int | None) -> None:
        """What is acknowledged is not read again; None: of all."""
        newest = inf if upto is None else upto
        self._done = {at: whole for at, whole in self._done.items() if at > newest}
        self._purged = {at for at in self._purged if at > newest}
        self._told = {at for at in self._told if at > newest}


class _Standing:
    """What is wanted of one target, with the end of L1's sizes by this process's clock."""

    def __init__(self, wanted: Desired, now: float) -> None:
        self.wanted = wanted
        is_tuned = wanted.kind == "l1" and wanted.tuned_for_s is not None
        self.next_end = now + (wanted.tuned_for_s or 0.0) if is_tuned else inf

    def sizes(self, at: float) -> dict[str, float]:
        """Of L1, from now until `next_end`."""
        wanted = self.wanted
        if at < self.next_end < inf:
            return {**wanted.lasting, **wanted.settings}
        self.next_end = inf
        return dict(wanted.lasting)


def _override(wanted: Desired) -> tuple[Override, list[str]]:
    """What this release knows of it, and why it cannot take the rest."""
    refusals: list[str] = []
    is_known = not wanted.mode or wanted.mode in FORCED
    if not is_known:
        refusals.append(f"mode: must be one of {', '.join(FORCED)}, not {wanted.mode!r}")
    override = Override(
        mode=wanted.mode if is_known else "",
        mode_for_s=wanted.for_s,
        settings=_known(wanted.settings, refusals),
        settings_for_s=wanted.tuned_for_s,
        lasting=_known(wanted.lasting, refusals),
        revision=wanted.revision,
    )
    return override, refusals


def _known(settings: Mapping[str, float], refusals: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in settings.items():
        threshold = THRESHOLDS.get(name)
        refusal = threshold.refusal(name, value) if threshold else f"{name}: is not a threshold"
        if refusal is None:
            found[name] = value
        else:
            refusals.append(refusal)
    return found


def _desired(row: tuple[Any, ...]) -> Desired:
    _, kind, name, mode, for_s, settings, tuned_for_s, lasting, reset, revision, age_s = row
    is_forced = for_s is not None and for_s > 0
    is_tuned = tuned_for_s is not None and tuned_for_s > 0
    return Desired(
        kind=kind,
        name=name,
        mode=mode if is_forced else "",
        for_s=for_s if is_forced else None,
        settings=msgspec.json.decode(settings) if is_tuned else {},
        tuned_for_s=tuned_for_s if is_tuned else None,
        lasting=msgspec.json.decode(lasting),
        reset_revision=reset,
        revision=revision,
        age_s=age_s,
    )


# By the clock of the moment, not of a transaction that may have begun long ago. JSON as text, for
# connections differ in what they make of it.
_READ = """
SELECT r.value, c.kind, c.name, c.mode,
       extract(epoch FROM c.expires_at - clock_timestamp())::float,
       c.settings::text, extract(epoch FROM c.tuned_until - clock_timestamp())::float,
       c.lasting::text, c.reset_revision, c.revision,
       extract(epoch FROM clock_timestamp() - c.changed_at)::float
FROM (SELECT coalesce(max(value), 0) AS value FROM validation_controlrevision) r
LEFT JOIN validation_control c ON c.revision > %(known)s
    AND (c.kind <> 'purge' OR c.changed_at > now() - make_interval(secs => %(purges)s))
ORDER BY c.revision
"""
