"""Pages' static files, and a cache server that knows nothing yet."""

from tests.access.conftest import static_root  # noqa: F401 - a fixture, found by name
from tests.controls.conftest import empty_cache, no_valkey  # noqa: F401 - fixtures, found by name
