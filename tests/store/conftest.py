"""Fixtures of the pages: people of each role, and a fleet of nobody."""

from tests.pages.conftest import (  # noqa: F401 - fixtures, found by name
    admin,
    clients,
    no_workers,
    people,
    static_root,
)
