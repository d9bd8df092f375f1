"""System checks across settings: each has a number, says what is wrong and what to set."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connections

from monitoring.alerts.sending import is_understood
from validation.rpc.addresses import AddressPolicy


@register(Tags.database)
def a_database_is_set(**_: Any) -> list[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.dummy":
        return []
    return [Error("DATABASE_URL is not set.", hint=_SERVERS, id="switchyard.E001")]


@register(Tags.security, deploy=True)
def a_secret_key_is_set(**_: Any) -> list[CheckMessage]:
    try:
        if settings.SECRET_KEY:
            return []
    except ImproperlyConfigured:  # Django's own word for an empty one, without what to set
        pass
    hint = "Set SECRET_KEY, or SECRET_KEY_FILE to a file that holds 50 random characters."
    return [Error("SECRET_KEY is not set.", hint=hint, id="switchyard.E002")]


@register(deploy=True)
def servers_are_set(**_: Any) -> list[CheckMessage]:
    return [
        Error(f"{name} is not set.", hint=_SERVERS, id="switchyard.E003")
        for name in ("REDIS_URL", "CELERY_BROKER_URL")
        if not getattr(settings, name)
    ]


@register
def the_broker_has_a_server_of_its_own(**_: Any) -> list[CheckMessage]:
    """Eviction is a setting of a server, not of a database in it: a full cache ate a queue."""
    urls = (settings.REDIS_URL, settings.CELERY_BROKER_URL)
    if not all(urls) or len({server_of(url) for url in urls}) == len(urls):
        return []
    message = "CELERY_BROKER_URL and REDIS_URL name the same server."
    hint = "Give the broker a server of its own that never evicts (maxmemory-policy noeviction)."
    return [Warning(message, hint=hint, id="switchyard.W001")]


@register
def settings_reach_postgres(**_: Any) -> list[CheckMessage]:
    """PgBouncer refuses a start that carries options, or is told to drop them in silence."""
    if not settings.PGBOUNCER_ADMIN_URL:
        return []
    found: list[CheckMessage] = []
    if "options" in settings.DATABASES["default"].get("OPTIONS", {}):
        message = "DATABASE_URL carries options, and PgBouncer does not pass them on."
        hint = "Take them out of the URL and set them on the role: ALTER ROLE … SET name = value."
        found.append(Error(message, hint=hint, id="switchyard.E004"))
    if urlsplit(settings.PGBOUNCER_ADMIN_URL).path != "/pgbouncer":
        message = "PGBOUNCER_ADMIN_URL does not name PgBouncer's own database."
        hint = "Let it end in /pgbouncer, as a user in its stats_users."
        found.append(Warning(message, hint=hint, id="switchyard.W007"))
    return found


@register(deploy=True)
def a_node_is_set(**_: Any) -> list[CheckMessage]:
    if settings.NODES:
        return []
    hint = "Set NODE_URLS to the JSON-RPC endpoints to ask, in order of preference."
    return [Warning("NODE_URLS is empty: no run can start.", hint=hint, id="switchyard.W002")]


@register(deploy=True)
def the_chain_is_known(**_: Any) -> list[CheckMessage]:
    """What an honest node cannot say depends on the chain's rules."""
    if settings.NODE_CHAIN_ID is not None or not settings.NODES:
        return []
    message = "NODE_CHAIN_ID is not set: no node is ever caught lying, or taken out of service."
    hint = "Set it to the id of the chain that your nodes are on (1 is Ethereum's mainnet)."
    return [Warning(message, hint=hint, id="switchyard.W005")]


@register(deploy=True)
def development_is_off(**_: Any) -> list[CheckMessage]:
    if not settings.DEVELOPMENT:
        return []
    hint = "Unset DEVELOPMENT: it allows loopback nodes and cookies over plain HTTP."
    return [Warning("DEVELOPMENT is on.", hint=hint, id="switchyard.W003")]


@register(Tags.security, deploy=True)
def origins_are_safe(**_: Any) -> list[CheckMessage]:
    """A token that a page over plain HTTP holds is read by whoever is on the way."""
    return [
        Warning(
            f"OFREP_ORIGINS names {origin}, whose pages come without TLS.",
            hint="Serve them over https, or remove the origin: it may hold a token.",
            id="switchyard.W006",
        )
        for origin in settings.OFREP_ORIGINS
        if urlsplit(origin).scheme != "https" and not settings.DEVELOPMENT
    ]


@register
def nodes_may_be_asked(**_: Any) -> list[CheckMessage]:
    """Only addresses are judged here: a name's are known when it is looked up, at every call."""
    policy = AddressPolicy(
        allow_loopback=settings.DEVELOPMENT, private_networks=settings.NODE_PRIVATE_NETWORKS
    )
    return [
        Warning(
            f"NODE_URLS names {node.label}, whose host is {why}: it is never asked.",
            hint="Add its network to NODE_PRIVATE_NETWORKS (10.0.0.0/8, say), or remove it.",
            id="switchyard.W004",
        )
        for node in settings.NODES
        if (why := _refusal(policy, node.host))
    ]


@register(deploy=True)
def those_who_are_told_can_be(**_: Any) -> list[CheckMessage]:
    """Asked of Apprise here and not at each start, which it would make half a second longer."""
    return [
        Error(
            f"NOTIFY_URLS names {one.name}, and Apprise does not understand its address.",
            hint=f"Write it as Apprise's page about {one.scheme}:// says; quote what is special.",
            id="switchyard.E005",
        )
        for one in settings.NOTIFY_DESTINATIONS
        if not is_understood(one)
    ]


@register(Tags.database, deploy=True)
def the_trail_is_not_the_applications(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Who owns a table switches its triggers off. Asked only where checks may ask the database."""
    if "default" not in (databases or ()):
        return []
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(_OWNED)
            owned = [name for (name,) in cursor.fetchall()]
    except (DatabaseError, InterfaceError):  # whether it answers is another check's word
        return []
    if not owned:
        return []
    message = f"DATABASE_URL's role owns {' and '.join(owned)}: it could rewrite the audit trail."
    hint = "Migrate as the owner, and let the application connect as a role that owns nothing, as "
    hint += "deploy/postgres-roles.sh makes it."
    return [Warning(message, hint=hint, id="switchyard.W008")]


_OWNED = """
SELECT relname FROM pg_class
WHERE oid IN (to_regclass('access_auditentry'), to_regclass('access_audithead'))
    AND pg_has_role(current_user, relowner, 'MEMBER')
ORDER BY relname
"""
_SERVERS = "Run `make up`, or set DATABASE_URL, REDIS_URL and CELERY_BROKER_URL."


def server_of(url: str) -> tuple[str, int] | str:
    parts = urlsplit(url)
    if parts.scheme in {"unix", "redis+socket"}:
        return parts.path
    default = 5672 if parts.scheme.startswith("amqp") else 6379
    return (parts.hostname or "", parts.port or default)


def _refusal(policy: AddressPolicy, host: str) -> str:
    try:
        ip_address(host)
    except ValueError:
        return ""
    return policy.refusal(host)
