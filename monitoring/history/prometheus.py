"""Reads long ranges from Prometheus, where there is one: all lines of a page by one question.

Two seconds for an answer, whatever the server does; one that failed is not asked again for ten, so
that a page does not wait for it each time. Raises Unanswered, whose words name no address.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Final

import msgspec
import requests
import urllib3

from monitoring.history.expressions import EXPRESSIONS
from monitoring.history.reading import POINTS, Series

_DEADLINE_S: Final = 2.0
_SILENT: Final = f"Prometheus did not answer within {_DEADLINE_S:g} s."
_PAUSE_S: Final = 10.0
# Two threads: one that a silent server holds leaves another.
_THREADS: Final = 2
_MOST_BYTES: Final = 4_000_000
_LEAST_STEP_S: Final = 60.0
_OK: Final = 200


class Unanswered(Exception):
    """Why there is no answer, in words that may be shown."""


class _Result(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct, frozen=True):
    result: list[_Result]


class _Answer(msgspec.Struct, frozen=True):
    data: _Data


class Prometheus:
    """One server. Any thread may ask."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/query_range"
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="prometheus")
        self._lock = threading.Lock()
        self._paused_until = float("-inf")
        self._why = ""

    def read(
        self, names: Sequence[str], *, range_s: float, until: datetime, points: int = POINTS
    ) -> Mapping[str, Series]:
        """A series for each of `names`, which must be among `EXPRESSIONS`."""
        with self._lock:
            if self._clock() < self._paused_until:
                raise Unanswered(self._why)
        step_s = max(range_s / points, _LEAST_STEP_S)
        number = max(1, round(range_s / step_s))
        ends = until.timestamp()
        form = {
            "query": _query(names, step_s),
            "start": f"{ends - (number - 1) * step_s:.3f}",
            "end": f"{ends:.3f}",
            "step": f"{step_s:.3f}",
            "timeout": f"{_DEADLINE_S:g}s",
        }
        try:
            found = self._threads.submit(self._ask, form).result(_DEADLINE_S)
            return {name: _series(name, found, ends, step_s, number) for name in names}
        except Unanswered as exc:
            self._pause(str(exc))
            raise
        except TimeoutError as exc:
            self._pause(_SILENT)
            raise Unanswered(self._why) from exc

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, form: dict[str, str]) -> list[_Result]:
        try:
            with requests.Session() as session:
                # Neither proxies nor passwords of this machine's files.
                session.trust_env = False
                answer = session.post(
                    self._url, data=form, timeout=_DEADLINE_S, stream=True, allow_redirects=False
                )
                body = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
        except (requests.Timeout, TimeoutError) as exc:
            raise Unanswered(_SILENT) from exc
        except (requests.RequestException, OSError) as exc:
            raise Unanswered("Prometheus cannot be reached.") from exc
        except urllib3.exceptions.HTTPError as exc:
            # The body is read past requests, which would have named it otherwise.
            raise Unanswered("Prometheus began an answer that cannot be read.") from exc
        if answer.status_code != _OK:
            raise Unanswered(f"Prometheus refused the question (status {answer.status_code}).")
        if len(body) > _MOST_BYTES:
            raise Unanswered(f"Prometheus answered more than {_MOST_BYTES // 1_000_000} MB.")
        try:
            return msgspec.json.decode(body, type=_Answer).data.result
        except msgspec.DecodeError as exc:
            raise Unanswered("What answers at PROMETHEUS_URL is no Prometheus.") from exc

    def _pause(self, why: str) -> None:
        with self._lock:
            self._why = why
            self._paused_until = self._clock() + _PAUSE_S


@cache
def at(url: str) -> Prometheus:
    """The one of this process."""
    return Prometheus(url)


def _query(names: Sequence[str], step_s: float) -> str:
    """All of them, each under its name: the mean over a step and, of one series, the highest."""
    parts = []
    for name in names:
        expression = EXPRESSIONS[name].replace("{step}", f"{step_s:.0f}s")
        parts.append(_labelled(expression.replace("{over}", "avg"), name, "mean"))
        if "{over}" in expression:
            parts.append(_labelled(expression.replace("{over}", "max"), name, "high"))
    return " or ".join(parts)


def _labelled(expression: str, name: str, kind: str) -> str:
    named = f'label_replace({expression}, "figure", "{name}", "", "")'
    return f'label_replace({named}, "kind", "{kind}", "", "")'


def _series(
    name: str, results: Sequence[_Result], ends: float, step_s: float, number: int
) -> Series:
    found: dict[str, list[float | None]] = {}
    for result in results:
        if result.metric.get("figure") == name:
            points: list[float | None] = [None] * number
            for moment, text in result.values:
                place = number - 1 - round((ends - moment) / step_s)
                if 0 <= place < number:
                    points[place] = _number(text)
            found[result.metric.get("kind", "")] = points
    means = found.get("mean", [None] * number)
    known = [point for point in found.get("high", means) if point is not None]
    return Series(
        name=name, step_s=step_s, points=tuple(means), highest=max(known) if known else None
    )


def _number(text: str) -> float | None:
    """What is no number (none of none) is not known."""
    try:
        value = float(text)
    except ValueError as exc:
        raise Unanswered("What answers at PROMETHEUS_URL is no Prometheus.") from exc
    return value if math.isfinite(value) else None
