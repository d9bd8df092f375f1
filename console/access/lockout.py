"""Bounds how often a password can be tried: by account and by network.

An attempt is counted before the password is looked at, so that many at once cannot slip through
together, and taken back when it was right. Accounts that do not exist are counted like others: the
answer tells nobody which do. Locking an account also locks its owner out: that is why it is short,
and why the network's lock is the longer one.
"""

import ipaddress
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction
from django.db.models import F

from console.access.models import SignInAttempts


@dataclass(frozen=True, slots=True)
class Limit:
    """After `failures` within `window` nothing more is tried for `lock`."""

    failures: int
    window: timedelta
    lock: timedelta


ACCOUNT = Limit(5, timedelta(minutes=15), timedelta(minutes=5))
NETWORK = Limit(30, timedelta(minutes=15), timedelta(minutes=15))


def reserve(username: str, address: str, *, now: datetime) -> datetime | None:
    """Counts an attempt; None lets it be made, a time says when sign-in opens again."""
    SignInAttempts.objects.filter(until__lt=now - timedelta(hours=1)).delete()
    opens = None
    with transaction.atomic():
        # Always the network first: two orders could deadlock.
        for key, limit in ((_network(address), NETWORK), (_account(username), ACCOUNT)):
            opens = _count(key, limit, now)
            if opens is not None:
                break
    return opens


def forgive(username: str, address: str) -> None:
    """The password was right: the account starts afresh, the network gets its attempt back."""
    SignInAttempts.objects.filter(key=_account(username)).delete()
    tried = SignInAttempts.objects.filter(key=_network(address), failures__gt=0)
    tried.update(failures=F("failures") - 1)


def _count(key: str, limit: Limit, now: datetime) -> datetime | None:
    SignInAttempts.objects.get_or_create(key=key, defaults={"until": now + limit.window})
    row = SignInAttempts.objects.select_for_update().get(key=key)
    if row.until <= now:
        row.failures, row.until = 0, now + limit.window
    if row.failures >= limit.failures:
        return row.until
    row.failures += 1
    if row.failures >= limit.failures:
        row.until = now + limit.lock
    row.save()
    return None


def _account(username: str) -> str:
    """Hashed: what is typed here may be a password by mistake, or of any length."""
    name = unicodedata.normalize("NFKC", username).casefold().strip()
    return f"account:{sha256(name.encode('utf-8', 'replace')).hexdigest()[:40]}"


def _network(address: str) -> str:
    """One IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "network:unknown"  # a Unix socket
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return f"network:{ip.ipv4_mapped}"
        return f"network:{ipaddress.ip_network((ip, 64), strict=False)}"
    return f"network:{ip}"
