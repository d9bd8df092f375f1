"""The last middleware: pages read from replicas where they may, and writers are remembered."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from console.replicas import reading, written

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class ReadReplicas:
    """The API asks for itself, once it knows whose token it was given."""

    def __init__(self, ask: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._ask = ask

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._ask(request)
        if request.method not in _SAFE and (person := _person(request)) is not None:
            written.carry(response, reading.note_write(person))
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.view_name not in reading.PAGES:
            return None
        return reading.answer(request, _person(request), partial(view, request, *args, **kwargs))


def _person(request: HttpRequest) -> int | None:
    """Whoever the API let in, or is signed in."""
    caller = getattr(request, "caller", None)
    user = caller.user if caller is not None else request.user
    return user.pk if isinstance(user, User) else None
