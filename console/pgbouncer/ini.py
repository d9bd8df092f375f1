"""The text of a pgbouncer.ini that PgBouncer 1.18 and later read; it holds no password."""

from dataclasses import dataclass

from console.pgbouncer.fleet import Fleet
from console.pgbouncer.server import Server
from console.pgbouncer.sizes import Mode, Sizes

# By the mode, what clients may rely on.
_MODES = {
    Mode.TRANSACTION: "A connection is lent for a transaction; the most clients for the least.",
    Mode.SESSION: "A client keeps its connection until it leaves: one of Postgres' for each.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where PgBouncer listens, where its users and their passwords stand, and who may read SHOW."""

    listen: str
    port: int
    auth_file: str
    user: str


def written(server: Server, fleet: Fleet, sizes: Sizes, place: Place) -> str:
    values = _values(sizes, place)
    width = max(map(len, values))
    lines = [f"{name:<{width}} = {value}".rstrip() for name, value in values.items()]
    where = f"host={_value(server.host)} port={server.port} dbname={_value(server.database)}"
    entry = f"{_quoted(server.database)} = {where}"
    parts = [*_reasons(server, fleet, sizes), "[databases]", entry, "", "[pgbouncer]", *lines]
    return "\n".join(parts) + "\n"


def _reasons(server: Server, fleet: Fleet, sizes: Sizes) -> list[str]:
    """The numbers that these sizes rest on, as comments."""
    room = server.room
    return [
        "; Written by `manage.py pgbouncer_ini`: write it anew when one of these numbers changes.",
        f"; Fleet: {fleet.workers} workers, {fleet.web} web processes with a pool of {fleet.pool}.",
        f"; They open {fleet.clients} connections at most.",
        f"; Postgres: max_connections {room.max_connections}, {room.reserved} of them reserved",
        f"; and {room.others} left for migrations, people and others: {room.free} to lend.",
        f"; {_MODES[sizes.mode]}",
        f"; PgBouncer needs {sizes.descriptors} open files (ulimit -n, LimitNOFILE).",
    ]


def _values(sizes: Sizes, place: Place) -> dict[str, str | int]:
    return {
        "listen_addr": place.listen,
        "listen_port": place.port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": place.auth_file,
        "stats_users": place.user,
        "pool_mode": sizes.mode,
        "default_pool_size": sizes.pool,
        # Over all users together: a second one must not double what Postgres gives.
        "max_db_connections": sizes.pool,
        "max_client_conn": sizes.clients,
        # What a start cannot carry through is refused, not dropped in silence.
        "ignore_startup_parameters": "",
        # A worker that is turned away has time to renew its lease (6 s) in another try.
        "query_wait_timeout": 2,
        "server_connect_timeout": 5,
        # Its own 15 s would go on after Postgres is back.
        "server_login_retry": 1,
        "server_idle_timeout": 300,
        "server_lifetime": 3600,
        "server_reset_query": "DISCARD ALL" if sizes.mode is Mode.SESSION else "",
        "tcp_keepalive": 1,
        "tcp_keepidle": 5,
        "tcp_keepintvl": 2,
        "tcp_keepcnt": 3,
        "log_connections": 0,
        "log_disconnections": 0,
    }


def _quoted(name: str) -> str:
    """As the left side of a line: quoted where it is not a plain word."""
    is_plain = name.isascii() and name.replace("_", "").isalnum()
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def _value(text: str) -> str:
    """As a word of a connection string; a quote is doubled."""
    plain = all(char.isalnum() or char in "._-/:" for char in text)
    return text if text and plain else "'" + text.replace("'", "''") + "'"
