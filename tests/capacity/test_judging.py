"""Each limit holds, is broken, or is not known; what is not known is never fine."""

from typing import Any

import msgspec
import pytest

from console.capacity.inputs import Held, Inputs, Lent, Pool, Postgres, Times
from console.capacity.judging import judge, what_if
from console.capacity.recommended import recommended
from console.pgbouncer import Beside
from tests.capacity.applying import apply
from tests.capacity.numbers import MB, bouncer, numbers, of, standing


def part(inputs: Inputs, name: str, **fields: Any) -> Inputs:
    """The same with fields of one part changed."""
    changed = msgspec.structs.replace(getattr(inputs, name), **fields)
    return msgspec.structs.replace(inputs, **{name: changed})


def test_numbers_that_work_violate_nothing() -> None:
    assert standing(numbers(), "violated") == standing(numbers(), "unknown") == []
    behind = numbers(bouncer=bouncer())
    assert standing(behind, "violated") == standing(behind, "unknown") == []


TWO_USERS = Lent(pool=20, users=2)
SPOILT = [
    (numbers(pools=(Pool(processes=9, size=8),)), "postgres.connections",
     "ALTER SYSTEM SET max_connections = 133;"),
    (part(numbers(), "postgres", foreign=70), "postgres.connections",
     "ALTER SYSTEM SET max_connections = 114;"),
    (part(numbers(), "postgres", role=30), "postgres.role",
     'ALTER ROLE "app" CONNECTION LIMIT 41;'),
    (part(numbers(), "postgres", database=40), "postgres.database",
     'ALTER DATABASE "switchyard" CONNECTION LIMIT 41;'),
    (numbers(pools=(Pool(size=8), Pool(server="replica_1", size=100))),
     "replica.connections:replica_1", "DB_POOL_MAX=92"),
    (numbers(pools=(Pool(size=8), Pool(server="replica_1", processes=10, size=50))),
     "replica.connections:replica_1", "DB_POOL_MAX=9"),
    (numbers(pools=(Pool(size=8), Pool(server="replica_1", processes=20, size=8)),
             beside=Beside.of(replicas=True)),
     "replica.connections:replica_1", "ALTER SYSTEM SET max_connections = 188;"),
    (numbers(pools=(Pool(size=4), Pool(size=8))), "web.pool", "DB_POOL_MAX=8"),
    (numbers(pools=(Pool(size=4),), formula="cpu2_4"), "web.pool",
     "manage.py flag db.pool_formula deployment --unrehearsed\nDB_POOL_MAX=8"),
    (numbers(up=5), "workers.declared", "WORKERS=5"),
    (part(numbers(), "nodes", calls=65), "nodes.calls", "WORKERS=4"),
    (part(numbers(up=300, memory=None), "nodes", calls=128), "nodes.calls",
     "WORKERS=300\nNODE_MAX_IN_FLIGHT=4800"),
    (part(numbers(), "nodes", most=10_000, calls=2500), "nodes.sockets",
     "NODE_MAX_IN_FLIGHT=3200"),
    (part(numbers(), "nodes", rate=50, rate_by_process=True), "nodes.rate",
     "manage.py flag rpc.rate_limit fleet"),
    (part(numbers(), "nodes", sockets=512), "worker.files", "LimitNOFILE=1088"),
    (part(numbers(), "files", web=1024), "web.files", "LimitNOFILE=5092"),
    (part(numbers(), "times", statement=0.5), "timeouts.acquire",
     "manage.py flag db.statement_timeout 30000"),
    (part(numbers(bouncer=bouncer()), "times", statement=0.5), "timeouts.acquire",
     "ALTER ROLE \"app\" SET statement_timeout = '30s';"),
    (part(numbers(), "times", statement=float("inf")), "timeouts.statement",
     "manage.py flag db.statement_timeout 30000"),
    (part(numbers(bouncer=bouncer()), "times", statement=float("inf")), "timeouts.statement",
     "ALTER ROLE \"app\" SET statement_timeout = '30s';"),
    (part(numbers(), "memory", a_worker=900 * MB), "memory.machine", "WORKER_MEMORY_MB=604"),
    (part(numbers(), "memory", held=(Held(what="the cache", bytes=2200 * MB),), a_worker=500 * MB),
     "memory.machine", "--concurrency=1\nWORKER_MEMORY_MB=192"),
    (numbers(bouncer=bouncer(clients=36)), "pgbouncer.clients", "max_client_conn = 100"),
    (numbers(bouncer=bouncer(lent=(Lent(pool=9),))), "pgbouncer.servers",
     "default_pool_size = 11"),
    (numbers(bouncer=bouncer(lent=(Lent(pool=30),), mode="session")), "pgbouncer.servers",
     "default_pool_size = 41"),
    (numbers(bouncer=bouncer(lent=(Lent(pool=23, most=23),), mode="session")), "pgbouncer.servers",
     "default_pool_size = 41\nmax_db_connections = 41"),
    (numbers(bouncer=bouncer(lent=(TWO_USERS,), mode="session", user_most=20)), "pgbouncer.servers",
     "default_pool_size = 21\nmax_user_connections = 21"),
    (numbers(pools=(Pool(processes=9, size=8),), postgres=Postgres(max_connections=200),
             bouncer=bouncer(lent=(TWO_USERS,), mode="session", clients=200)),
     "pgbouncer.servers", "default_pool_size = 63"),
    (numbers(bouncer=bouncer(clients=1000)), "pgbouncer.promised", "max_client_conn = 160"),
    (numbers(bouncer=bouncer(lent=(Lent(pool=200),), files=None, clients=800)),
     "postgres.connections", "ALTER SYSTEM SET max_connections = 208;"),
    (numbers(bouncer=bouncer(files=100)), "pgbouncer.files", "LimitNOFILE=160"),
    (numbers(bouncer=bouncer(query_wait_s=2.5)), "timeouts.lease", "query_wait_timeout = 2"),
    (numbers(bouncer=bouncer(query_wait_s=30.0)), "timeouts.statement",
     "query_wait_timeout = 2"),
]  # fmt: skip


@pytest.mark.parametrize(("spoilt", "key", "fix"), SPOILT)
def test_each_limit_is_found_broken_first_and_what_mends_it_does(
    spoilt: Inputs, key: str, fix: str
) -> None:
    broken = of(spoilt, key)
    assert broken.standing == "violated"
    assert broken.fix == fix
    first, *_ = judge(spoilt)
    assert first.standing == "violated"
    assert of(apply(spoilt, fix), key).standing == "holds"


@pytest.mark.parametrize(("spoilt", "key"), [(spoilt, key) for spoilt, key, _ in SPOILT])
def test_all_that_is_told_to_set_breaks_nothing_together(spoilt: Inputs, key: str) -> None:
    for one in judge(spoilt):
        spoilt = apply(spoilt, one.fix)
    # What a fix makes room for may need room itself, and that is told then.
    for one in judge(spoilt):
        spoilt = apply(spoilt, one.fix)
    assert standing(spoilt, "violated") == [], key


@pytest.mark.parametrize(("spoilt", "key"), [(spoilt, key) for spoilt, key, _ in SPOILT])
def test_the_table_of_settings_says_what_the_limits_say(spoilt: Inputs, key: str) -> None:
    fixes = [line for one in judge(spoilt) for line in one.fix.splitlines()]
    for value in recommended(spoilt):
        of_the_name = [line for line in fixes if value.name in line]
        assert set(of_the_name) <= {value.line}, key


def test_a_limit_of_this_release_has_nothing_to_set() -> None:
    for name in ({"call": 15.0}, {"renewal": 6.0}):
        [key] = standing(part(numbers(), "times", **name), "violated")
        assert of(part(numbers(), "times", **name), key).fix == ""


@pytest.mark.parametrize(
    ("lacking", "keys"),
    [
        (numbers(postgres=None), {"postgres.connections", "memory.machine"}),
        (numbers(pools=None), {"postgres.connections", "web.pool", "memory.machine"}),
        (numbers(bouncer=None), {"pgbouncer.clients", "pgbouncer.servers", "pgbouncer.promised",
                                 "postgres.connections", "timeouts.statement", "timeouts.lease",
                                 "memory.machine"}),
        (numbers(up=None), {"workers.declared"}),
        (part(numbers(), "files", worker=None, web=None), {"worker.files", "web.files"}),
        (numbers(times=Times()), {"timeouts.acquire", "timeouts.statement", "timeouts.lease",
                                  "timeouts.call"}),
        (part(numbers(), "memory", a_worker=None), {"memory.machine"}),
        (numbers(bouncer=bouncer(files=None)), {"pgbouncer.files"}),
    ],
)  # fmt: skip
def test_what_is_not_known_is_neither_fine_nor_broken(lacking: Inputs, keys: set[str]) -> None:
    assert set(standing(lacking, "unknown")) == keys
    assert standing(lacking, "violated") == []
    for key in keys:
        assert (of(lacking, key).holds, of(lacking, key).fix) == (None, "")


def test_as_much_as_there_is_still_fits_but_times_must_be_apart() -> None:
    exactly = part(numbers(), "postgres", max_connections=41 + 5 + 3)
    assert of(exactly, "postgres.connections").holds is True
    assert of(part(numbers(), "times", lease=1.0), "timeouts.lease").holds is False


def test_other_numbers_of_workers_are_reckoned_with_smaller_parts_of_the_nodes() -> None:
    many = what_if(numbers(), 40)
    assert of(many, "postgres.connections").uses == 40 * 2 + 2 * (8 + 4) + 9 + 5
    assert of(many, "postgres.connections").standing == "violated"
    assert of(many, "workers.declared").holds, "WORKERS is to be set to it"
    assert of(many, "nodes.calls").uses == 40 * 6
    assert of(many, "memory.machine").standing == "violated"
    assert of(what_if(numbers(), 300), "nodes.calls").standing == "violated", (
        "one call each at least"
    )


def test_an_age_is_that_of_the_oldest_figure() -> None:
    aged = numbers(ages={"postgres": 4.0, "web processes": 0.5, "workers": 7.0, "pgbouncer": 60.0})
    assert (of(aged, "postgres.connections").age_s, of(aged, "web.pool").age_s) == (7.0, 0.5)
    assert of(aged, "timeouts.call").age_s is None


def test_a_role_without_a_limit_has_no_line() -> None:
    assert "postgres.role" not in {one.key for one in judge(numbers())}
    assert Postgres(max_connections=100).granted == 97
