"""The figures of the rules about processes, nodes and rates. None: not known now."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.looked import Looked
from monitoring.alerts.rules import Observation
from monitoring.alerts.signals import Seen
from monitoring.alerts.subjects import node_of_breaker
from monitoring.alerts.windows import Share
from monitoring.gauges import lag_of
from monitoring.snapshots import BreakerReport, NodeReport, PoolReport, WorkerSnapshot

# Asked every 5 s, and given 2 s to answer.
_HEAD_S: Final = 8.0
_NAMED: Final = 5
# Of all that is asked, the part that may fail.
_VALIDATIONS: Final = 0.01
_HTTP: Final = 0.001

type Of = Callable[[Looked], Seen]


def _one(value: float | None, words: str = "", weight: float | None = None) -> Seen:
    return (Observation(subject="", value=value, weight=weight, words=words),)


def _silent(looked: Looked) -> Seen:
    if looked.workers is None:
        return None
    silent = [worker for worker in looked.workers if worker.state != "up"]
    named = ", ".join(f"{worker.id} for {worker.age_s:.0f} s" for worker in silent[:_NAMED])
    more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
    return _one(len(silent), f"Silent: {named}{more}." if silent else "All are heard.")


def _none(looked: Looked) -> Seen:
    up = looked.up
    return None if up is None else _one(len(up), f"{len(up)} worker processes are up.")


def _memory(looked: Looked) -> Seen:
    """One that falls silent is on the list still, and what it holds is not known."""
    return None if looked.workers is None else tuple(map(_memory_of, looked.workers))


def _memory_of(worker: WorkerSnapshot) -> Observation:
    said = worker.memory if worker.state == "up" else None
    if said is None or said.share is None:
        return Observation(subject=worker.id, value=None)
    return Observation(subject=worker.id, value=said.share, words=f"{worker.id} {said.words}.")


def _watching(looked: Looked) -> tuple[WorkerSnapshot, ...] | None:
    """Workers that know which nodes there are. None: nobody does, so none is known to be gone."""
    up = looked.up or ()
    return tuple(worker for worker in up if worker.nodes or worker.breakers) or None


def _node_down(looked: Looked) -> Seen:
    watching = _watching(looked)
    if watching is None:
        return None
    found: dict[str, list[bool | None]] = defaultdict(list)
    for worker in watching:
        for node in worker.nodes:
            if node.in_service:
                found[node.label].append(_answered(worker, node))
    return tuple(_node(label, answers) for label, answers in sorted(found.items()))


def _answered(worker: WorkerSnapshot, node: NodeReport) -> bool | None:
    """Whether the node answers this worker; None: it is not told."""
    if node.head_age_s is not None and node.head_age_s <= _HEAD_S:
        return True
    if node.head_age_s is None and not node.failures:
        return None  # it was not asked yet
    full = any(p.pool == node.label and p.limit and p.in_flight >= p.limit for p in worker.pools)
    blocked = any(
        breaker.computed == "open" and node_of_breaker(breaker.name) == node.label.replace("#", "~")
        for breaker in worker.breakers
    )
    # At work to the brim it is not asked for its head.
    return None if full and not blocked else False


def _node(label: str, answers: list[bool | None]) -> Observation:
    known = [answer for answer in answers if answer is not None]
    if not known:
        return Observation(subject=label, value=None)
    reached = sum(known)
    words = f"{label} answers {reached} of {len(known)} workers."
    return Observation(subject=label, value=float(reached > 0), words=words)


def _node_lag(looked: Looked) -> Seen:
    watching = _watching(looked)
    if watching is None:
        return None
    found: dict[str, list[NodeReport]] = defaultdict(list)
    for node in (node for worker in watching for node in worker.nodes):
        if node.in_service:
            found[node.label].append(node)
    return tuple(_lag(label, lag_of(reports)) for label, reports in sorted(found.items()))


def _lag(label: str, lag: int | None) -> Observation:
    words = "" if lag is None else f"{label} is {lag} blocks behind the best."
    return Observation(subject=label, value=lag, words=words)


def _latency(looked: Looked) -> Seen:
    def of(worker: WorkerSnapshot) -> Iterator[tuple[str, float | None]]:
        # A client that has fetched nothing yet has no pool, and its nodes are there all the same.
        for node in (node for node in worker.nodes if node.in_service):
            yield node.label, None
        for pool in worker.pools:
            yield pool.pool, None if pool.rtt_p95_ms is None else pool.rtt_p95_ms / 1000

    return _each(looked, of, lambda label, s: f"p95 of {label} is {s:.2f} s in a worker.")


def _sockets(looked: Looked) -> Seen:
    """Of all workers together: each shares a node's work with the others."""
    watching = _watching(looked)
    if watching is None:
        return None
    found: dict[str, list[PoolReport]] = {
        node.label: [] for worker in watching for node in worker.nodes if node.in_service
    }
    for pool in (pool for worker in watching for pool in worker.pools):
        found.setdefault(pool.pool, []).append(pool)
    return tuple(_sockets_of(label, pools) for label, pools in sorted(found.items()))


def _sockets_of(label: str, pools: list[PoolReport]) -> Observation:
    used, most = sum(pool.used for pool in pools), sum(pool.max for pool in pools)
    waiting = sum(pool.waiting for pool in pools)
    words = f"{used} of {most} sockets to {label} are in use, and {waiting} calls wait."
    return Observation(subject=label, value=used / most if most else None, words=words)


def _each(
    looked: Looked,
    of: Callable[[WorkerSnapshot], Iterator[tuple[str, float | None]]],
    words: Callable[[str, float], str],
) -> Seen:
    """The worst that a worker has seen; also of what is there and was not measured."""
    watching = _watching(looked)
    if watching is None:
        return None
    found: dict[str, list[float]] = defaultdict(list)
    for worker in watching:
        for label, value in of(worker):
            found[label] += [] if value is None else [value]
    return tuple(
        Observation(subject=label, value=max(values), words=words(label, max(values)))
        if values
        else Observation(subject=label, value=None)
        for label, values in sorted(found.items())
    )


def _breakers(looked: Looked) -> Seen:
    now = looked.now.timestamp()

    def of(worker: WorkerSnapshot) -> Iterator[tuple[str, float | None]]:
        return ((breaker.name, _open_s(breaker, now)) for breaker in worker.breakers)

    return _each(looked, of, _open_words)


def _open_s(breaker: BreakerReport, now: float) -> float:
    """For how long it has not been closed by itself; what is forced is somebody's will."""
    if breaker.state not in {"open", "half_open"}:
        return 0.0
    since = now
    for change in reversed(breaker.transitions):
        if change.after in {"closed", "forced_closed"}:
            break
        since = min(since, change.at)
    return max(0.0, now - since)


def _open_words(name: str, seconds: float) -> str:
    return f"{name} has not been closed for {seconds:.0f} s." if seconds else f"{name} is closed."


def _hit_rate(looked: Looked) -> Seen:
    share = looked.windows.share("cache.hits", "cache.lookups", 10)
    if share is None:
        return None
    if share.value is None:
        return _one(None, weight=0.0)
    words = f"{share.value:.1%} of {share.all:.0f} look-ups were answered in 10 minutes."
    return _one(share.value, words, weight=share.all)


def _errors(part: str, whole: str, words: str) -> Of:
    """Of five minutes, and of the last one: what is over by now is no news."""

    def of(looked: Looked) -> Seen:
        late, early = (looked.windows.share(part, whole, minutes) for minutes in (1, 5))
        if late is None or early is None:
            return None
        said = f"{early.value or 0.0:.1%} of {early.all:.0f} {words} in 5 minutes."
        return _one(_least(late, early), said, weight=early.all)

    return of


def _least(late: Share, early: Share) -> float | None:
    """Of two windows. Of one with no event the share is not known; but less than none it is not."""
    if 0.0 in {late.value, early.value}:
        return 0.0
    if late.value is None or early.value is None:
        return None
    return min(late.value, early.value)


def _slow(quick: str, longer_than: str) -> Of:
    def of(looked: Looked) -> Seen:
        share = looked.windows.share(quick, "http.all", 5)
        if share is None:
            return None
        if share.value is None:
            return _one(None, weight=0.0)
        slow = 1 - share.value
        words = (
            f"{slow:.1%} of {share.all:.0f} requests took longer than {longer_than} in 5 minutes."
        )
        return _one(slow, words, weight=share.all)

    return of


def _burn(part: str, whole: str, budget: float, short: int, long: int) -> Of:
    def of(looked: Looked) -> Seen:
        late, early = (looked.windows.share(part, whole, minutes) for minutes in (short, long))
        if late is None or early is None:
            return None
        least = _least(late, early)
        burns = [(share.value or 0.0) / budget for share in (late, early)]
        words = (
            f"{burns[0]:.1f} times the budget of {budget:.1%} in {short} minutes, "
            f"{burns[1]:.1f} times in {long}, of {early.all:.0f}."
        )
        return _one(None if least is None else least / budget, words, weight=early.all)

    return of


@dataclass(frozen=True, slots=True)
class _Told:
    """What a process, `host:pid`, says of a gauge; None where it does not."""

    name: str
    value: float | None
    is_silent: bool


def _worst(rule: str, gauge: str, words: str) -> Of:
    """By kind of process, of the one that is worst off. One that fell silent may be worse still: so
    the others say nothing good of its kind.
    """
    warning = RULES[rule].warning or 0.0

    def of(looked: Looked) -> Seen:
        found = _told(looked, gauge)
        return tuple(_worst_of(kind, told, words, warning) for kind, told in found.items()) or None

    return of


def _worst_of(kind: str, told: list[_Told], words: str, warning: float) -> Observation:
    known = [(one.value, one.name) for one in told if one.value is not None]
    value, name = max(known, default=(0.0, ""))
    if not known or (value <= warning and any(one.is_silent for one in told)):
        return Observation(subject=kind, value=None)
    said = f"{words} {value * 1000:.0f} ms in {kind} {name}."
    return Observation(subject=kind, value=value, words=said)


def _web_cpu(looked: Looked) -> Seen:
    """In the mean of those that tell; a new one has nothing to tell yet."""
    if looked.processes is None:
        return None
    told = _told(looked, "switchyard_process_cpu_ratio").get("web", [])
    if not told:
        return ()
    busy = [one.value for one in told if one.value is not None]
    if not busy:
        return (Observation(subject="web", value=None),)
    mean = sum(busy) / len(busy)
    words = f"{len(busy)} web processes keep {mean:.0%} of a processor busy in the mean."
    return (Observation(subject="web", value=mean, words=words),)


def _told(looked: Looked, gauge: str) -> dict[str, list[_Told]]:
    """By kind; what one that is silent said last is no more so."""
    found: dict[str, list[_Told]] = defaultdict(list)
    for process in looked.processes or ():
        gauges = process.gauges if process.live else ()
        value = next((one.value for one in gauges if one.name == gauge), None)
        # host:pid:start, and a host's name may hold colons.
        name = process.incarnation.rpartition(":")[0]
        found[process.kind].append(_Told(name, value, is_silent=not process.live))
    return found


def _history(looked: Looked) -> Seen:
    silent = looked.windows.silent_s
    return None if silent is None else _one(silent, f"The newest figures are {silent:.0f} s old.")


def _undelivered(looked: Looked) -> Seen:
    return tuple(
        Observation(
            subject=name, value=number, words=f"{number} not delivered within five minutes."
        )
        for name, number in sorted(looked.undelivered.items())
    )


FLEET: Final[Mapping[str, Of]] = {
    "workers.silent": _silent,
    "workers.none": _none,
    "worker.memory": _memory,
    "node.down": _node_down,
    "node.lag": _node_lag,
    "rpc.latency": _latency,
    "breaker.open": _breakers,
    "cache.hit_rate": _hit_rate,
    "cache.errors": _errors("cache.l2_failed", "cache.l2_lookups", "requests to L2 failed"),
    "rpc.errors": _errors("rpc.failed", "rpc.all", "calls to nodes failed"),
    "rpc.sockets_used": _sockets,
    "process.loop_lag": _worst(
        "process.loop_lag", "switchyard_process_event_loop_lag_seconds", "A timer came late by"
    ),
    "process.gc_pause": _worst(
        "process.gc_pause", "switchyard_process_gc_pause_worst_seconds", "The longest stop was"
    ),
    "process.cpu": _web_cpu,
    "http.errors": _errors("http.failed", "http.all", "requests ended in 5xx"),
    "http.slow": _slow("http.quick", "100 ms"),
    "http.p99": _slow("http.le.0.15", "150 ms"),
    "validations.burn_fast": _burn("validations.error", "validations.all", _VALIDATIONS, 5, 60),
    "validations.burn_slow": _burn("validations.error", "validations.all", _VALIDATIONS, 30, 360),
    "http.burn_fast": _burn("http.failed", "http.all", _HTTP, 5, 60),
    "http.burn_slow": _burn("http.failed", "http.all", _HTTP, 30, 360),
    "history.silent": _history,
    "notifications.undelivered": _undelivered,
}
