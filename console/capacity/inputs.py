"""The numbers that limits are made of: of the fleet as it is, or of a file that somebody gives."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.pgbouncer.fleet import Beside

type Count = Annotated[int, Meta(ge=0, le=10**9)]
type Size = Annotated[int, Meta(ge=1, le=10**9)]
type Bytes = Annotated[int, Meta(ge=0)]
type Seconds = Annotated[float, Meta(ge=0)]

PRIMARY = "primary"
DEPLOYMENT = "deployment"
"""The formula of pools by which DB_POOL_MAX holds."""


class NotNumbers(ValueError):
    """A file of numbers that cannot be read; says where and why."""


class Pool(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Of connections to one database server: so many `processes` have one of `size` each."""

    server: str = PRIMARY
    processes: Count = 1
    size: Size


class Lent(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What PgBouncer may open to a database: `pool` and `reserve` for each of `users`, `most` over
    all of them (0: no such limit).
    """

    database: str = ""
    pool: Count
    reserve: Count = 0
    most: Count = 0
    users: Size = 1

    @property
    def servers(self) -> int:
        wanted = self.users * (self.pool + self.reserve)
        return min(wanted, self.most) if self.most else wanted


class Bouncer(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """PgBouncer: the clients it accepts, and what it lends them. `files`: RLIMIT_NOFILE."""

    clients: Size
    lent: tuple[Lent, ...]
    mode: str = "transaction"
    user_most: Count = 0
    query_wait_s: Seconds | None = None
    before_replicas: bool = False
    files: Size | None = None

    @property
    def servers(self) -> int:
        wanted = sum(one.servers for one in self.lent)
        users = max((one.users for one in self.lent), default=1)
        return min(wanted, self.user_most * users) if self.user_most else wanted


class Postgres(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`role` and `database`: their CONNECTION LIMIT, -1 for none. `foreign`: connections now of
    whoever is not ours. `user` and `name`: of our role and our database, where they are known.
    """

    user: str = ""
    name: str = ""
    max_connections: Size
    reserved: Count = 3
    role: int = -1
    database: int = -1
    foreign: Count = 0
    shared_bytes: Bytes | None = None

    @property
    def granted(self) -> int:
        return max(0, self.max_connections - self.reserved)


class Nodes(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`most`: calls in flight that one node gets from the whole fleet; `calls` and `sockets` are
    what one worker may have with it. `rate`: calls a second for the fleet, 0: as many as it takes.
    """

    number: Count
    most: Size
    calls: Count
    sockets: Size
    batch: Size = 100
    rate: Count = 0
    rate_by_process: bool = False


class Files(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Files that a process may have open (RLIMIT_NOFILE), and live streams that web accepts."""

    worker: Size | None = None
    web: Size | None = None
    streams: Count = 0


class Times(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Seconds, each of what is nested in the next."""

    acquire: Seconds | None = None
    statement: Seconds | None = None
    request: Seconds | None = None
    renewal: Seconds | None = None
    lease: Seconds | None = None
    call: Seconds | None = None
    calls: Seconds | None = None


class Held(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Memory of something on this machine: what it holds at most."""

    what: str
    bytes: Bytes


class Memory(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Of this machine or control group. `a_worker`: of one; `workers` of them are here."""

    total: Bytes
    a_worker: Bytes | None = None
    workers: Count | None = None
    held: tuple[Held, ...] = ()
    postgres_here: bool = False


class Server(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Clients that a Valkey has now, and accepts."""

    name: str
    clients: Count
    most: Size


class Inputs(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is None is not known; what is an empty tuple is not there. `workers` None: as many as
    were `declared`, where more are not up. `threads`: of one web process that keep a connection for
    as long as they answer; `formula`: by which its pool is as large as it is. `ages`: seconds, by
    the name of a source.
    """

    workers: Count | None = None
    declared: Size | None = None
    up: Count | None = None
    pools: tuple[Pool, ...] | None = None
    beside: Beside = Beside()
    threads: Count | None = None
    formula: str = DEPLOYMENT
    # Whether PgBouncer stands between at all.
    pooled: bool = False
    bouncer: Bouncer | None = None
    postgres: Postgres | None = None
    nodes: Nodes | None = None
    files: Files | None = None
    times: Times | None = None
    memory: Memory | None = None
    servers: tuple[Server, ...] = ()
    ages: dict[str, float] = {}

    @property
    def planned(self) -> int | None:
        """Workers to be reckoned with."""
        known = [n for n in (self.declared, self.up) if n is not None]
        return self.workers if self.workers is not None else max(known, default=None)

    @property
    def web(self) -> int | None:
        """Web processes: each has one pool to the primary."""
        if self.pools is None:
            return None
        return sum(pool.processes for pool in self.pools if pool.server == PRIMARY)

    @property
    def clients(self) -> int | None:
        """Connections that the fleet opens to the primary, or to PgBouncer before it, at most."""
        if self.pools is None or (self.beside.a_worker and self.planned is None):
            return None
        return self.beside.opened(
            workers=self.planned or 0, web=self.web or 0, pooled=self.of_server(PRIMARY)
        )

    def of_server(self, server: str) -> int:
        return sum(p.processes * p.size for p in self.pools or () if p.server == server)


def given(text: bytes) -> Inputs:
    """The numbers of a JSON object. Raises NotNumbers."""
    try:
        found = msgspec.json.decode(text, type=Inputs)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise NotNumbers(str(exc)) from exc
    # Who gives a PgBouncer means it.
    return changed(found, pooled=True) if found.bouncer is not None else found


def changed(inputs: Inputs, **fields: Any) -> Inputs:
    return msgspec.structs.replace(inputs, **fields)
