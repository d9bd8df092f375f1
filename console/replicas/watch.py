"""Watches the replicas of this process every five seconds, and says which may be read from.

In a thread of its own: no request waits for a look. Each web process judges for itself, because
what it cannot reach it must not use, whatever others can.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psycopg
import structlog

from console.database import ReplicaUrl
from console.replicas.judging import Heard, Judgement
from console.replicas.lag import UNKNOWN, Marks
from console.replicas.looking import Server, ask
from monitoring.collectors import told
from monitoring.collectors.outcome import Outcome, words
from monitoring.collectors.replicas import SOURCE, ReplicasSample, ReplicaStanding

EVERY_S: Final = 5.0

log = structlog.get_logger(__name__)


class Watched:
    """One replica: where it is, and what is thought of it."""

    def __init__(self, replica: ReplicaUrl) -> None:
        self.label = replica.label
        self.weight = replica.weight
        self.judgement = Judgement()
        # The last position that it is known to have replayed; it only grows.
        self.replayed = 0
        self.round_trip_ms: float | None = None
        self.asked_at = float("-inf")


class Watch:
    """`ask` raises psycopg.Error where a server does not answer."""

    def __init__(
        self,
        replicas: Sequence[ReplicaUrl],
        *,
        ask: Callable[[str], Server] = ask,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.replicas = tuple(map(Watched, replicas))
        self._ask = ask
        self._clock = clock
        self._marks = Marks(clock)
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replicas", daemon=True)
        self._looks = ThreadPoolExecutor(
            max(len(self.replicas), 1), thread_name_prefix="replica-look"
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        self._looks.shutdown(wait=False, cancel_futures=True)

    def usable(self) -> list[Watched]:
        return [one for one in self.replicas if one.judgement.in_use]

    def failed(self, replica: Watched) -> None:
        """A request could not read from it: nobody else tries until looks find it well."""
        was_used = replica.judgement.in_use
        replica.judgement.fail()
        if was_used:
            log.warning("replica.out", replica=replica.label, why=replica.judgement.why)
            self._hurry.set()

    def turn(self) -> None:
        """One look at the primary and at all replicas, and the word of it."""
        primary = self._primary()
        list(self._looks.map(lambda one: self._look(one, primary), self.replicas))
        told.publish(
            Outcome(source=SOURCE, took_s=0.0, sample=ReplicasSample(replicas=self.standing()))
        )

    def standing(self) -> tuple[ReplicaStanding, ...]:
        """As this process judges now."""
        now = self._clock()
        return tuple(
            ReplicaStanding(
                label=one.label,
                weight=one.weight,
                in_use=one.judgement.in_use,
                why=one.judgement.why,
                reachable=one.judgement.reachable,
                ill=one.judgement.ill,
                lag_s=one.judgement.lag.seconds,
                lag_bytes=one.judgement.lag.bytes,
                round_trip_ms=one.round_trip_ms,
                seen_s=now - one.asked_at,
            )
            for one in self.replicas
            if one.asked_at > float("-inf")
        )

    def _primary(self) -> Server | None:
        """Before the replicas: what is written meanwhile is nobody's lag."""
        try:
            primary = self._ask("default")
        except psycopg.Error as exc:
            log.warning("replicas.primary_not_asked", why=words(exc))
            return None
        if primary.lsn is not None and not primary.follows:
            self._marks.stands_at(primary.lsn, primary.clock_s)
        return primary

    def _look(self, one: Watched, primary: Server | None) -> None:
        before = one.judgement.in_use
        try:
            found = self._ask(one.label)
        except psycopg.Error as exc:
            one.judgement.missed(words(exc))
            one.round_trip_ms = None
        else:
            one.judgement.heard(self._heard(found, primary))
            one.round_trip_ms = found.round_trip_ms
            if found.follows and found.lsn is not None:
                one.replayed = found.lsn
        one.asked_at = self._clock()
        if one.judgement.in_use != before:
            say = log.info if one.judgement.in_use else log.warning
            event = "replica.in" if one.judgement.in_use else "replica.out"
            say(event, replica=one.label, why=one.judgement.why)

    def _heard(self, found: Server, primary: Server | None) -> Heard:
        ill = ""
        if not found.follows:
            ill = "It follows nobody: it was promoted, or never did."
        elif primary is None:
            ill = "How far it is behind is not known: the primary does not answer."
        elif found.system != primary.system:
            ill = "It is a copy of another Postgres."
        elif primary.follows:
            ill = "DATABASE_URL names a replica itself."
        if ill:
            return Heard(lag=UNKNOWN, ill=ill)
        return Heard(lag=self._marks.lag_of(found.lsn or 0, found.committed_s))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
            except Exception:
                # A mistake of ours in one look must not end all that come.
                log.exception("replicas.not_watched")
            self._hurry.wait(EVERY_S)
            self._hurry.clear()
