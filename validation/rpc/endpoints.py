"""A node's address: parsed once, shown only as a label that holds no credential."""

import base64
import hashlib
import re
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_LENGTH = 2048
# The names of its breakers and of its tag in the cache hold it.
_LONGEST_LABEL = 140
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"
_SHORTEST_SECRET = 4
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HIDDEN = "•••"


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says about itself when it is probed."""

    node: str
    chain_id: int
    client_version: str
    ms: float


class NodeUrl:
    """An http(s) URL of a node. Everything but host and port may be a key, and is treated as one.

    `str`, `repr`, `format` and errors show `label`; it cannot be pickled. Only the transport reads
    `secret_url`, `target` and `authorization`.
    """

    __slots__ = ("_authorization", "_secrets", "_target", "_url", "host", "label", "port", "scheme")

    def __init__(self, parts: SplitResult, *, host: str, port: int) -> None:
        self.scheme = parts.scheme
        self.host = host
        self.port = port
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._authorization = _basic(user, password) if user or password else ""
        path = quote(parts.path, safe=_PATH_SAFE) or "/"
        query = quote(parts.query, safe=_PATH_SAFE + "?")
        self._target = f"{path}?{query}" if query else path
        self._url = parts.geturl()
        self._secrets = _secrets_of(parts, user, password, self._authorization)
        self.label = self._label()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URL in `text`, or a ValueError that says what is wrong without repeating a key."""
        text = text.strip()
        if len(text) > _MAX_LENGTH:
            raise ValueError(f"node URL: longer than {_MAX_LENGTH} characters")
        if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in text):  # noqa: PLR2004 - ASCII
            raise ValueError("node URL: holds a space or control character")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            # `from None`: the original text quotes the URL.
            raise ValueError("node URL: host or port is malformed (port: 1 to 65535)") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError("node URL: must start with http:// or https://")
        if port == 0:
            raise ValueError("node URL: port 0 is not a port (1 to 65535)")
        url = cls(parts, host=_host_of(parts), port=port or _DEFAULT_PORTS[parts.scheme])
        if len(url.label) > _LONGEST_LABEL:
            raise ValueError(
                f"node URL: host and port take {len(url.label)} characters of the at most "
                f"{_LONGEST_LABEL} that names of breakers have room for; use a shorter host name"
            )
        return url

    @property
    def secret_url(self) -> str:
        """The whole URL with its credentials. Never show it."""
        return self._url

    @property
    def target(self) -> str:
        """Path and query for the request line. May hold a key."""
        return self._target

    @property
    def authorization(self) -> str:
        """The Authorization header's value, or an empty string."""
        return self._authorization

    @property
    def authority(self) -> str:
        """The Host header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def scrub(self, text: str) -> str:
        """`text` without any part of this URL that may be a key: nodes echo what they are sent."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def _label(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        label = f"{host}:{self.port}"
        if self._target == "/" and not self._authorization:
            return label
        return f"{label}#{hashlib.blake2b(self._url.encode(), digest_size=3).hexdigest()}"

    def __str__(self) -> str:
        return self.label

    def __repr__(self) -> str:
        return f"NodeUrl({self.label})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeUrl) and self._url == other._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a NodeUrl is not exported: it may hold a credential")


def _host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise ValueError("node URL: no host after http:// or https://")
    if parts.fragment:
        raise ValueError("node URL: a #fragment is never sent to a node; remove it")
    is_bracketed = parts.netloc.rpartition("@")[2].startswith("[")
    try:
        return str(IPv6Address(host)) if is_bracketed else _name(host)
    except ValueError:
        raise ValueError("node URL: host is neither a valid name nor an IP address") from None


def _name(host: str) -> str:
    host = host if host.isascii() else host.encode("idna").decode()
    if not _NAME.fullmatch(host):
        raise ValueError(host)
    # A last label of digits makes it an address. Only four plain numbers are one to everybody;
    # 127.1, 0177.0.0.1 and 2130706433 are 127.0.0.1 to some.
    return str(IPv4Address(host)) if _NUMBER.fullmatch(host.rpartition(".")[2]) else host


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _secrets_of(parts: SplitResult, user: str, password: str, authorization: str) -> list[str]:
    """Every form a credential of this URL may take in a text, longest first."""
    found = {user, password, parts.username or "", parts.password or ""}
    found |= {authorization.removeprefix("Basic "), parts.query, parts.path.strip("/")}
    for segment in parts.path.split("/"):
        found |= {segment, unquote(segment)}
    for pair in parts.query.split("&"):
        found.add(pair.partition("=")[2] or pair)
    found |= {value for _, value in parse_qsl(parts.query)}
    found |= {quote(piece, safe="") for piece in tuple(found)}
    return sorted((s for s in found if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
