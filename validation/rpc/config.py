"""How one process talks to its nodes: every bound of the client in one frozen value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from validation.rpc.addresses import AddressPolicy, Network
from validation.rpc.endpoints import NodeUrl
from validation.rpc.forms import FORMS
from validation.rpc.limiters import LIMITERS
from validation.rpc.request_log import REQUEST_LOGS
from validation.rpc.retry_policies import RETRIES

_MIB = 1024 * 1024
_POSITIVE = (
    "max_in_flight",
    "max_waiting",
    "max_connections",
    "batch_size",
    "connect_timeout_s",
    "call_timeout_s",
    "total_timeout_s",
    "idle_timeout_s",
    "max_attempts",
    "backoff_base_s",
    "backoff_cap_s",
    "rest_max_s",
    "max_body_bytes",
    "max_containers",
    "max_depth",
)
_NOT_NEGATIVE = ("batch_wait_s", "retry_ratio", "retry_burst")


_NAMED: Mapping[str, Collection[str]] = {
    "fetch_mode": FORMS,
    "limiter": LIMITERS,
    "retry": RETRIES,
    "request_log": REQUEST_LOGS,
}


def check_name(field: str, name: str) -> None:
    """Raises ValueError for a variant that there is not."""
    known = _NAMED[field]
    if name not in known:
        raise ValueError(f"{field}: must be one of {', '.join(known)}, not {name!r}")


def check_quantile(share: float | None) -> None:
    """Raises ValueError for a share of answers after which nothing could be hedged."""
    if share is not None and not 0 < share < 1:
        raise ValueError(f"hedge_quantile: must be between 0 and 1, not {share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcConfig:
    """`nodes` in order of preference; counts are of calls, not requests, unless they say so."""

    nodes: tuple[NodeUrl, ...]
    chain_id: int | None = None
    allow_loopback: bool = False
    private_networks: tuple[Network, ...] = ()
    ca_file: Path | None = None

    max_in_flight: int = 128
    """Calls with one node at a time: this process's share of the fleet's 256."""
    limiter: str = "fixed"
    """Who decides on the limit of calls with a node: a name in `limiters.LIMITERS`."""
    max_waiting: int = 20_000
    """Calls that may wait for one node before the next is refused as saturated."""
    max_connections: int = 8
    batch_size: int = 100
    batch_wait_s: float = 0.001
    """How long a small batch waits for company, and only while the node is busy with others."""

    keep_alive: bool = True
    """False: each request has a connection of its own."""

    connect_timeout_s: float = 2.0
    call_timeout_s: float = 5.0
    total_timeout_s: float = 15.0
    idle_timeout_s: float = 60.0

    retry: str = "budgeted"
    """What becomes of calls that fail: a name in `retry_policies.RETRIES`."""
    max_attempts: int = 4
    backoff_base_s: float = 0.05
    backoff_cap_s: float = 2.0
    retry_ratio: float = 0.1
    """Calls retried for each call asked, at most, beyond the burst."""
    retry_burst: int = 1000
    """And this many at once: what is out and fails before a breaker opens must not be lost."""
    rest_max_s: float = 60.0
    """How long a node is left alone at most when it asks for that."""
    hedge_quantile: float | None = None
    """Asks a second node where the first takes longer than this share of its answers did, within
    the retries' budget; None: never.
    """
    rate_limit: float | None = None
    """Calls a second that the fleet may ask of each node; None: as many as it takes."""

    sharing: bool = True
    """Who asks what another asks at the same time shares its answer."""
    request_log: str = "none"
    """Which requests are logged: a name in `request_log.REQUEST_LOGS`."""

    max_body_bytes: int = 64 * _MIB
    max_containers: int = 1_000_000
    max_depth: int = 64

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("nodes: at least one node URL is needed")
        if len(set(self.nodes)) != len(self.nodes):
            raise ValueError("nodes: the same URL is listed twice")
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be above 0, not {getattr(self, name)}")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative, is {getattr(self, name)}")
        for name in ("limiter", "retry", "request_log"):
            check_name(name, getattr(self, name))
        check_quantile(self.hedge_quantile)
        if self.rate_limit is not None and self.rate_limit <= 0:
            raise ValueError(f"rate_limit: must be above 0, not {self.rate_limit}")

    @property
    def policy(self) -> AddressPolicy:
        return AddressPolicy(
            allow_loopback=self.allow_loopback, private_networks=self.private_networks
        )
