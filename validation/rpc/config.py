"""How one process talks to its nodes: every bound of the client in one frozen value."""

from dataclasses import dataclass
from pathlib import Path

from validation.rpc.addresses import AddressPolicy, Network
from validation.rpc.endpoints import NodeUrl

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
    "cool_down_s",
    "cool_down_max_s",
    "max_body_bytes",
    "max_containers",
    "max_depth",
)
_NOT_NEGATIVE = ("batch_wait_s", "retry_ratio", "retry_burst")


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
    max_waiting: int = 20_000
    """Calls that may wait for one node before the next is refused as saturated."""
    max_connections: int = 8
    batch_size: int = 100
    batch_wait_s: float = 0.001
    """How long a small batch waits for company, and only while the node is busy with others."""

    connect_timeout_s: float = 2.0
    call_timeout_s: float = 5.0
    total_timeout_s: float = 15.0
    idle_timeout_s: float = 60.0

    max_attempts: int = 4
    backoff_base_s: float = 0.05
    backoff_cap_s: float = 2.0
    retry_ratio: float = 0.1
    """Calls retried for each call asked, at most, beyond the burst."""
    retry_burst: int = 100
    cool_down_s: float = 5.0
    cool_down_max_s: float = 60.0

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

    @property
    def policy(self) -> AddressPolicy:
        return AddressPolicy(
            allow_loopback=self.allow_loopback, private_networks=self.private_networks
        )
