"""What is known of a Postgres server after one look, in types. Ages are in seconds, texts without
values.
"""

import msgspec


class Server(msgspec.Struct, kw_only=True, frozen=True):
    """`at`: when it was asked, by its own clock. `sees_all`: it tells of other roles' sessions.
    `role_most` and `database_most`: CONNECTION LIMIT of the console's role and database, -1 where
    they have none; `statement_ms`: the statement_timeout that a session of the role begins with, 0
    for none. None where a release before did not ask.
    """

    at: float
    version: str
    name: str
    up_s: float
    max_connections: int
    reserved: int
    in_recovery: bool
    sees_all: bool
    role_most: int | None = None
    database_most: int | None = None
    shared_bytes: int | None = None
    statement_ms: int | None = None


class Connections(msgspec.Struct, kw_only=True, frozen=True):
    """Those of one application in one state; `hidden` is a state that the role may not see."""

    application: str
    state: str
    number: int
    on_locks: int
    # How long the one that is longest in it is in this state, and in a transaction.
    longest_s: float | None
    transaction_s: float | None


class Wait(msgspec.Struct, kw_only=True, frozen=True):
    """What statements at work wait for at this moment."""

    kind: str
    event: str
    number: int


class Blocked(msgspec.Struct, kw_only=True, frozen=True):
    """A session that waits for a lock, and the processes that it waits for."""

    pid: int
    application: str
    waits_s: float
    mode: str
    target: str
    blockers: tuple[int, ...]
    text: str


class Session(msgspec.Struct, kw_only=True, frozen=True):
    """One in a transaction for more than a second, or that others wait for."""

    pid: int
    application: str
    state: str
    transaction_s: float | None
    state_s: float | None
    wait: str
    text: str


class Counts(msgspec.Struct, kw_only=True, frozen=True):
    """Of the database, since its statistics began."""

    commits: int
    rollbacks: int
    blocks_hit: int
    blocks_read: int
    deadlocks: int
    conflicts: int
    temp_bytes: int
    sessions_lost: int


class Rates(msgspec.Struct, kw_only=True, frozen=True):
    """Differences over `window_s`; a ratio is None where nothing was read."""

    window_s: float
    commits_per_s: float
    rollbacks_per_s: float
    hit_ratio: float | None
    deadlocks: int


class Statement(msgspec.Struct, kw_only=True, frozen=True):
    """One kind of statement over the window of its list; `share` of all time spent."""

    # As text: its 64 bits are more than a number of JSON holds.
    id: str
    text: str
    calls: int
    total_ms: float
    mean_ms: float
    share: float
    rows: int
    hit_ratio: float | None
    temp_blocks: int


class Statements(msgspec.Struct, kw_only=True, frozen=True):
    """Those that took most time. `window_s` None: since the server's statistics began."""

    window_s: float | None
    kinds: int
    total_ms: float
    slowest: tuple[Statement, ...]


class Table(msgspec.Struct, kw_only=True, frozen=True):
    """Counts since the statistics began; `dead_share` is the part of its rows to be vacuumed.
    `bloat_bytes`: what it holds beyond what its rows need, `bloat_share` of it, without indexes and
    TOAST: an estimate from pg_stats, as of its last ANALYZE. None: it has had none that the role
    may read.
    """

    name: str
    bytes: int
    live: int
    dead: int
    dead_share: float | None
    seq_scans: int
    seq_rows: int
    index_scans: int
    hit_ratio: float | None
    vacuumed_s_ago: float | None
    analyzed_s_ago: float | None
    bloat_bytes: int | None = None
    bloat_share: float | None = None


class Index(msgspec.Struct, kw_only=True, frozen=True):
    name: str
    table: str
    bytes: int
    scans: int
    unique: bool
    valid: bool


class Replica(msgspec.Struct, kw_only=True, frozen=True):
    """As the primary sees it; None: it has not told yet, or nothing was written lately."""

    name: str
    state: str
    sync: str
    lag_bytes: float | None
    lag_s: float | None


class Slot(msgspec.Struct, kw_only=True, frozen=True):
    """`retained_bytes` of WAL are kept for it, used or not."""

    name: str
    kind: str
    active: bool
    retained_bytes: float | None


class Checkpoints(msgspec.Struct, kw_only=True, frozen=True):
    """`requested` ones came before their time: WAL filled up, or somebody asked."""

    timed: int
    requested: int
    write_s: float
    sync_s: float
    buffers: int


class Sizes(msgspec.Struct, kw_only=True, frozen=True):
    """What is asked once a minute: it looks at files. `at` by the server's clock."""

    at: float
    database_bytes: int
    tables: tuple[Table, ...]
    indexes: tuple[Index, ...]


class PostgresSample(msgspec.Struct, kw_only=True, frozen=True):
    """A part that could not be read is None, and `failures` says why, by its name."""

    server: Server
    connections: tuple[Connections, ...] | None = None
    waits: tuple[Wait, ...] | None = None
    blocked: tuple[Blocked, ...] | None = None
    sessions: tuple[Session, ...] | None = None
    counts: Counts | None = None
    rates: Rates | None = None
    statements: Statements | None = None
    replicas: tuple[Replica, ...] | None = None
    slots: tuple[Slot, ...] | None = None
    checkpoints: Checkpoints | None = None
    sizes: Sizes | None = None
    failures: dict[str, str] = {}
