"""An empty cache server, or none at all."""

from collections.abc import Iterator

import pytest
from django.test import override_settings

from monitoring import valkey


@pytest.fixture
def empty_cache() -> Iterator[None]:
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


@pytest.fixture
def no_valkey() -> Iterator[None]:
    valkey.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    valkey.client.cache_clear()
