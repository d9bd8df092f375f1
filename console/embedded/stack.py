"""What `make up` runs: which servers, which programs, with which environment, in which order."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from console import env
from console.embedded.child import Program, python
from console.embedded.cluster import Cluster
from console.embedded.errors import EmbeddedError
from console.embedded.keys import ADMIN_MADE, new_password, secret_key_file, write_private
from console.embedded.pgbouncer import PgBouncer
from console.embedded.postgres import DURABLE
from console.embedded.readiness import accepts, answers_http, port_near
from console.embedded.replica import forget_others
from console.embedded.server import Server
from console.embedded.supervisor import Supervisor
from console.pgbouncer import Fleet
from validation.devnode import packaged

_NODE_PORT = 8545  # where Ethereum nodes listen
_CELERY = ("-m", "celery", "--quiet", "-A", "console.celery")
# What Celery says to a person at its own terminal; here Ctrl-C is the supervisor's.
_CELERYS_ADVICE = ("worker: Hitting Ctrl+C again", "worker: Cold shutdown")
_LOCAL = "127.0.0.1"
_ANY = {"0.0.0.0", "::", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Switchyard on one machine. `given` is the operator's environment: what it names is used."""

    root: Path
    var: Path
    host: str
    port: int
    workers: int
    given: Mapping[str, str]
    # Streaming replicas of the embedded Postgres.
    replicas: int = 0
    # Whether the system's PgBouncer stands before it.
    is_pooled: bool = False
    password: str = field(default_factory=new_password, repr=False)

    async def begin(self, supervisor: Supervisor) -> None:
        """Starts everything in order and says where it is."""
        cluster = Cluster.under(self.var, replicas=self._own_replicas())
        # Development serves static files from where they are written; whitenoise wants the folder.
        (self.var / "static").mkdir(exist_ok=True)
        bouncer = self._bouncer(cluster)
        found = self._addresses(cluster, bouncer)
        node = []
        if not self._has("NODE_URLS"):
            port = port_near(_LOCAL, _NODE_PORT)
            found["NODE_URLS"] = f"http://{_LOCAL}:{port}"
            # Whoever names a chain means it, also to the demo node.
            if not self._has("CHECKPOINT"):
                found["CHECKPOINT"] = packaged.CHECKPOINT
            if not self._has("NODE_CHAIN_ID"):
                found["NODE_CHAIN_ID"] = str(packaged.CHAIN_ID)
            node = [self._node(port, {**self.given, **found})]
        environment = {**self.given, **found}
        await supervisor.serve(self._servers(cluster))
        if not self._has("DATABASE_URL"):
            await asyncio.to_thread(forget_others, cluster.postgres, cluster.replicas)
        behind = (*cluster.replicas, *([bouncer] if bouncer else []))
        if behind:
            await supervisor.serve(behind)
        told = "".join(f"{name}={value}\n" for name, value in found.items())
        write_private(env.stack_file(self.var), told)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervisor.keep(*node))
            status = await self._prepare(supervisor, cluster, environment)
            programs = (self._web(environment), self._worker(environment))
            tasks.create_task(supervisor.keep(*programs))
        self._announce(supervisor, admin_made=status == ADMIN_MADE)
        # Last: workers find their work without it, and importing it would hold up the others.
        await supervisor.keep(self._beat(environment))

    async def _prepare(
        self, supervisor: Supervisor, cluster: Cluster, environment: Mapping[str, str]
    ) -> int:
        """Migrates and makes the first user; not again while nothing has changed."""
        note = cluster.postgres.prepared
        wanted = schema_of(self.root)
        ours = not self._has("DATABASE_URL")
        if ours and note.exists() and note.read_text(encoding="ascii") == wanted:
            return 0
        status = await supervisor.once(self._preparation(environment))
        if status not in {0, ADMIN_MADE}:
            raise EmbeddedError("The database could not be prepared: see the lines above.")
        if ours:
            write_private(note, wanted)
        return status

    @property
    def judged(self) -> dict[str, str]:
        """What the operator gives, as a stack for development reads it."""
        return dict(self.given) if self._has("DEVELOPMENT") else {**self.given, "DEVELOPMENT": "1"}

    @property
    def _local_host(self) -> str:
        return _LOCAL if self.host in _ANY else self.host

    def _has(self, name: str) -> bool:
        return bool(self.given.get(name, "").strip() or self.given.get(f"{name}_FILE", "").strip())

    def _own_replicas(self) -> int:
        if not self.replicas:
            return 0
        if given := [name for name in ("DATABASE_URL", "DATABASE_REPLICA_URLS") if self._has(name)]:
            raise EmbeddedError(
                f"REPLICAS={self.replicas} makes replicas of the database that `make up` starts, "
                f"and {given[0]} is set: unset one of them."
            )
        return self.replicas

    def _bouncer(self, cluster: Cluster) -> PgBouncer | None:
        if not self.is_pooled:
            return None
        if self._has("DATABASE_URL"):
            raise EmbeddedError(
                "PGBOUNCER=1 stands before the database that `make up` starts, and DATABASE_URL is "
                "set: unset one of them."
            )
        pool = int(self.given.get("DB_POOL_MAX", "").strip() or 8)
        fleet = Fleet(workers=self.workers, web=1, pool=pool)
        granted = int(DURABLE["max_connections"])
        return PgBouncer(cluster.places, cluster.postgres, fleet, granted)

    def _servers(self, cluster: Cluster) -> list[Server]:
        owners = {
            "DATABASE_URL": cluster.postgres,
            "REDIS_URL": cluster.cache,
            "CELERY_BROKER_URL": cluster.broker,
        }
        return [server for name, server in owners.items() if not self._has(name)]

    def _addresses(self, cluster: Cluster, bouncer: PgBouncer | None) -> dict[str, str]:
        """What the operator has not given, and what this stack is like whoever said so: other
        terminals are told it too.
        """
        pooled = bouncer.environment if bouncer else {}
        own = cluster.environment | pooled | {"DEVELOPMENT": "1"}
        found = {name: value for name, value in own.items() if not self._has(name)}
        if not self._has("SECRET_KEY"):
            found["SECRET_KEY_FILE"] = str(secret_key_file(self.var))
        return found | {"HOST": self.host, "PORT": str(self.port), "WORKERS": str(self.workers)}

    def _program(self, name: str, environment: Mapping[str, str], *command: str) -> Program:
        own = {"SWITCHYARD_PROCESS": name, "PYTHONUNBUFFERED": "1"}
        return Program(name=name, command=python(*command), environment={**environment, **own})

    def _manage(self, name: str, environment: Mapping[str, str], *command: str) -> Program:
        return self._program(name, environment, str(self.root / "manage.py"), *command)

    def _node(self, port: int, environment: Mapping[str, str]) -> Program:
        program = self._program(
            "node", environment, "-m", "console.embedded.node", _LOCAL, str(port)
        )
        return replace(program, ready=partial(accepts, _LOCAL, port))

    def _preparation(self, environment: Mapping[str, str]) -> Program:
        owner = {"SWITCHYARD_ADMIN_PASSWORD": self.password}
        if self._has("SWITCHYARD_ADMIN_PASSWORD"):
            owner = {}
        if url := environment.get("DATABASE_OWNER_URL"):
            owner["DATABASE_URL"] = url
        return self._manage("setup", {**environment, **owner}, "up", "--prepare")

    def _web(self, environment: Mapping[str, str]) -> Program:
        program = self._program(
            "web",
            environment,
            *("-m", "uvicorn", "console.asgi:application"),
            *("--host", self.host, "--port", str(self.port)),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers"),
            *("--timeout-graceful-shutdown", "5"),
        )
        ready = partial(answers_http, self._local_host, self.port, "/livez")
        return replace(program, ready=ready)

    def _worker(self, environment: Mapping[str, str]) -> Program:
        own = {
            "REMAP_SIGTERM": "SIGQUIT",  # tasks may finish for a bounded time instead of for ever
            # Root is what a person chose here; compose runs the worker as another user.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
        }
        program = self._program(
            "worker",
            {**environment, **own},
            *(*_CELERY, "worker", "--concurrency", str(self.workers)),
            *("--without-gossip", "--without-mingle"),
        )
        return replace(program, says=" ready.", unsaid=_CELERYS_ADVICE)

    def _beat(self, environment: Mapping[str, str]) -> Program:
        schedule = str(self.var / "beat-schedule")
        return self._program("beat", environment, *_CELERY, "beat", "--schedule", schedule)

    def _announce(self, supervisor: Supervisor, *, admin_made: bool) -> None:
        host = f"[{self._local_host}]" if ":" in self._local_host else self._local_host
        supervisor.say(f"Switchyard is ready at http://{host}:{self.port}/")
        if not admin_made:
            supervisor.say("Sign in as admin (forgotten: manage.py changepassword admin).")
        elif self._has("SWITCHYARD_ADMIN_PASSWORD"):
            supervisor.say("Sign in as admin with the password in SWITCHYARD_ADMIN_PASSWORD.")
        else:
            supervisor.say(f"Sign in as admin with the password {self.password} (shown only now).")
        supervisor.say("Ctrl-C ends it.")


def schema_of(root: Path) -> str:
    """Changes with the migrations there are: the project's own, and those of what is installed."""
    digest = hashlib.sha256((root / "requirements" / "base.txt").read_bytes())
    for package in ("console", "validation", "monitoring"):
        for path in sorted((root / package).rglob("migrations/*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
