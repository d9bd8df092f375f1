"""Where notifications go: NOTIFY_URLS read into destinations, and which of them is told what."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from monitoring.alerts.rules import Severity

# An address may hold commas of its own: a new one begins where a scheme does.
_BETWEEN: Final = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_OPTION: Final = re.compile(r";([a-z]+)=([^;/?&=]*)$")
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://\S+")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SEVERITIES: Final = ("warning", "critical")
_OPTIONS: Final = ("name", "severity")
# Of these the host is a host. Elsewhere it may be a key.
_HOSTS: Final = {
    name + tls for name in ("json", "xml", "form", "mailto", "syslog") for tls in ("", "s")
}
_SHORT: Final = 4
# All that is told of what another service said.
_FAILURES: Final = re.compile(r"error=[1-5]\d\d\b|Connection error|[Tt]imed out")
# Apprise opens a new incident with each word it sends them: they hear only what begins.
_PAGERS: Final = {"pagerduty"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """`name` is kept with each delivery, and holds no part of the address that could be a key."""

    name: str
    address: str = field(repr=False)
    least: Severity = "warning"

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """`slack://…;severity=critical;name=on-call`; ValueError says why not, without it."""
        address, options = _apart(text)
        if not (found := _ADDRESS.fullmatch(address)):
            raise ValueError("an address begins with its service, such as mailto:// or slack://")
        scheme = found[1].lower()
        least = options.get("severity", "warning")
        if least not in _SEVERITIES:
            raise ValueError(f";severity={least[:20]} is not one of {', '.join(_SEVERITIES)}")
        # Two of a service stay apart; six digits of a hash give nothing away.
        digest = hashlib.sha256(address.encode()).hexdigest()[:6]
        name = options.get("name", f"{scheme}-{digest}")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f";name={name[:20]} is not up to 40 of a-z, 0-9, '-' and '_' (not first)"
            )
        return cls(name=name, address=address, least=cast("Severity", least))

    @property
    def scheme(self) -> str:
        return self.address.partition("://")[0].lower()

    @property
    def shown(self) -> str:
        """The address with everything left out that may be a key."""
        if self.scheme not in _HOSTS:
            return f"{self.scheme}://…"
        try:
            parts = urlsplit(self.address)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return f"{self.scheme}://…"
        return f"{self.scheme}://{parts.hostname or '…'}{port}/…"

    @property
    def only_begins(self) -> bool:
        return self.scheme in _PAGERS

    def takes(self, severity: str, what: str) -> bool:
        """Whether a notification is its business: digests are for those who hear of warnings."""
        if self.only_begins and what not in {"fired", "worse", "test"}:
            return False
        if what == "test":
            return True
        if what == "digest":
            return self.least == "warning"
        return self.least == "warning" or severity == "critical"

    def without_secrets(self, text: str) -> str:
        """What somebody said, with every part of the address struck out that could be a key, as it
        stands and as it is meant. Of a service whose whole address is one, its kind alone.
        """
        if self.scheme not in _HOSTS:
            return ", ".join(dict.fromkeys(_FAILURES.findall(text)))
        kept = {self.scheme, *urlsplit(self.shown).netloc.split(":")}
        parts = {
            form
            for part in re.split(r"[/:@?&=#;,]+", self.address)
            for plain in (part, unquote(part), unquote_plus(part))
            for form in (plain, quote(plain, safe=""), quote_plus(plain))
        }
        for part in sorted(parts - kept - {""}, key=len, reverse=True):
            # A short one may be within any word.
            is_short = len(part) < _SHORT
            pattern = rf"(?<!\w){re.escape(part)}(?!\w)" if is_short else re.escape(part)
            text = re.sub(pattern, "…", text)
        return text


def listed(text: str) -> list[str]:
    """The addresses of NOTIFY_URLS, between spaces, lines or commas."""
    return [part for each in _BETWEEN.split(text) if (part := each.strip().rstrip(","))]


def _apart(text: str) -> tuple[str, dict[str, str]]:
    options: dict[str, str] = {}
    while found := _OPTION.search(text):
        name, value = found.groups()
        if name not in _OPTIONS:
            raise ValueError(f";{name}=… is not one of {', '.join(_OPTIONS)} (write %3B for a ';')")
        options.setdefault(name, value)
        text = text[: found.start()]
    return text, options
