"""Looks for static files once a session: each test's client has middleware of its own, and each
would walk all folders again, which cost more than the request.
"""

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

_find = WhiteNoiseMiddleware.add_files_from_finders
_found: dict[str, Any] = {}


def find_once() -> None:
    """To be called once, before the first client asks."""
    WhiteNoiseMiddleware.add_files_from_finders = _from_memory


def _from_memory(middleware: WhiteNoiseMiddleware) -> None:
    if not _found:
        _find(middleware)
        _found.update(middleware.files)
    middleware.files.update(_found)
