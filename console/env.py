"""The only place that reads the environment: typed readers that refuse bad values by name.

A variable is looked up in the environment, then as `NAME_FILE` (a file that holds a secret), then
in `VAR_DIR/stack.env`, which a running `make up` writes, so that `manage.py` in a second terminal
finds the same servers.
"""

import ipaddress
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def refuse(name: str, value: str, expected: str) -> NoReturn:
    """Ends the process with one line that names the variable, its value and what to write."""
    print(f"switchyard: {name}={value!r} is not {expected}.", file=sys.stderr)  # noqa: T201 - before logging exists
    raise SystemExit(2)


def var_dir() -> Path:
    return Path(os.environ.get("VAR_DIR") or ROOT / "var").expanduser().resolve()


def stack_file(var: Path) -> Path:
    return var / "stack.env"


def forget_stack(var: Path) -> None:
    """Takes back what a `make up` said of itself: nothing runs in `var`."""
    stack_file(var).unlink(missing_ok=True)
    _stack.cache_clear()


@cache
def _stack() -> dict[str, str]:
    """What a running `make up` says of itself; nothing where none runs."""
    path = stack_file(var_dir())
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as exc:
        refuse("VAR_DIR", str(var_dir()), f"readable: {exc.strerror}")
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def text(name: str, default: str = "") -> str:
    for source in (os.environ, _stack()):
        if value := source.get(name, "").strip():
            return value
        if path := source.get(f"{name}_FILE", "").strip():
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except OSError as exc:
                refuse(f"{name}_FILE", path, f"a readable file: {exc.strerror}")
    return default


def integer(name: str, default: int, *, low: int, high: int) -> int:
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        refuse(name, value, f"a whole number from {low} to {high}")
    return number


def optional_integer(name: str, *, low: int, high: int) -> int | None:
    return integer(name, low, low=low, high=high) if text(name) else None


_TRUTHS = {"1": True, "true": True, "yes": True, "on": True}
_FALSEHOODS = {"0": False, "false": False, "no": False, "off": False}


def boolean(name: str, *, default: bool = False) -> bool:
    value = text(name)
    if not value:
        return default
    known = _TRUTHS | _FALSEHOODS
    if value.lower() not in known:
        refuse(name, value, "yes or no (1, true, yes, on; 0, false, no, off)")
    return known[value.lower()]


def listed(name: str) -> list[str]:
    return [part.strip() for part in text(name).split(",") if part.strip()]


def chosen(name: str, among: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a list that are wanted; all where nothing is said, none by `none`."""
    wanted = listed(name) or list(among)
    if wanted == ["none"]:
        return ()
    for part in wanted:
        if part not in among:
            refuse(name, part, f"one of {', '.join(among)}, or none")
    return tuple(part for part in among if part in wanted)


def networks(name: str) -> list[Network]:
    found: list[Network] = []
    for part in listed(name):
        try:
            found.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            refuse(name, part, "a network such as 10.0.0.0/8")
    return found


def origins(name: str) -> list[str]:
    """Origins as browsers write them: scheme, host and port alone. `*` is none."""
    found: list[str] = []
    for part in listed(name):
        if part != _origin(part):
            refuse(name, part, "an origin such as https://app.example.com (no path, in lower case)")
        found.append(part)
    return found


def web_address(name: str) -> str:
    """The address of a server of the web; empty where it is not set. It may hold a password."""
    value = text(name)
    try:
        parts = urlsplit(value)
        right = parts.scheme in _WEB_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if value and not right:
        refuse(name, "…", "a URL such as https://prometheus.example.com")
    return value


def _origin(text: str) -> str | None:
    """The origin of an address, as a browser would write it; None where it has none."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme not in _WEB_PORTS or not _HOST.fullmatch(host):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (
        f":{port}" if port is not None and port != _WEB_PORTS[parts.scheme] else ""
    )


_WEB_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9.-]{1,253}|[0-9a-f:]+")


def parsed[T](name: str, parse: Callable[[str], T], values: list[str], expected: str) -> list[T]:
    """Each value through `parse`; its ValueError says why, without the value: it may hold a key."""
    found: list[T] = []
    for value in values:
        try:
            found.append(parse(value))
        except ValueError as exc:
            refuse(name, "…", f"{expected}: {exc}")
    return found
