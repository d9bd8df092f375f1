"""Who was signed in a moment ago: asked while the database, which keeps the sessions, is away.

In memory, of this process alone. It lets a person see what is no secret to any role, nothing more:
what is not known here is nobody's session.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest, HttpResponseBase

_FOR_S: Final = 600.0
_SESSIONS: Final = 10_000


class Remembered:
    """Sessions by the hash of their key: of the last ten minutes, ten thousand at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[bytes, float] = {}

    def note(self, session_key: str) -> None:
        """Its person was signed in just now."""
        digest = _digest(session_key)
        with self._lock:
            # At the end: the first is the one that was longest not seen.
            self._seen.pop(digest, None)
            self._seen[digest] = self._clock()
            if len(self._seen) > _SESSIONS:
                del self._seen[next(iter(self._seen))]

    def forget(self, session_key: str) -> None:
        with self._lock:
            self._seen.pop(_digest(session_key), None)

    def knows(self, session_key: str) -> bool:
        """To be asked only while nobody can sign out either: what is known stays known."""
        with self._lock:
            seen = self._seen.get(_digest(session_key))
        if seen is None or self._clock() - seen > _FOR_S:
            return False
        self.note(session_key)
        return True


REMEMBERED: Final = Remembered()


class RememberSessions:
    """Middleware, behind the one that requires a login: whoever comes so far is signed in."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._answer(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> None:
        if getattr(view, "login_required", True) and request.session.session_key:
            REMEMBERED.note(request.session.session_key)


def is_known(request: HttpRequest) -> bool:
    """Whether its cookie is that of a session that was good a moment ago."""
    return REMEMBERED.knows(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))


def _signed_out(request: HttpRequest | None, **_: object) -> None:
    if request is not None and (key := request.session.session_key):
        REMEMBERED.forget(key)


user_logged_out.connect(_signed_out, dispatch_uid="console.access.remembered")


def _digest(session_key: str) -> bytes:
    return hashlib.sha256(session_key.encode()).digest()
