"""How the two tiers work: every bound and variant of the cache in one frozen value."""

from dataclasses import dataclass, field

from validation.cache.codec import CODECS
from validation.cache.l1 import L1Config
from validation.cache.valkey import Address

_POSITIVE = (
    "l1_ttl_s",
    "reply_s",
    "connect_s",
    "poll_s",
    "blind_s",
    "claim_s",
    "hard_s",
    "max_refreshes",
    "warm_keys",
)
_NOT_NEGATIVE = ("wait_s", "soft_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """`url` of the cache server; "" leaves L1 alone. `key` seals what is stored: at most 64 bytes,
    the same in all processes of a deployment.
    """

    url: str = field(default="", repr=False)
    key: bytes = field(default=b"", repr=False)
    l1: L1Config = field(default_factory=L1Config)
    l1_ttl_s: float = 300.0
    """How long L1 keeps anything at most; L2 keeps it as long as it is good."""
    codec: str = "zstd-fast"

    reply_s: float = 0.04
    """How long the cache server may be silent before its connection is given up."""
    connect_s: float = 0.5
    poll_s: float = 0.25
    """How often the table of purges is looked at."""
    blind_s: float = 1.5
    """Without a look at it for so long L2 is left alone."""

    claim_s: float = 2.0
    """How long the mark of a process that asks a node outlives it; alive, it renews the mark."""
    wait_s: float = 15.0
    """How long the others wait at most while the mark is there, before they ask themselves."""
    soft_s: float = 0.0
    """How long somebody who could be given a stale answer waits for a fresh one."""
    hard_s: float = 30.0
    """After which nobody waits any longer, whatever becomes of the answer."""
    eager: float = 0.8
    """The share of its life from which an answer that is asked for is renewed behind the caller's
    back; 1: never."""
    max_refreshes: int = 64
    """Answers renewed behind their callers' backs at a time."""
    warm_keys: int = 512
    """Keys that the fleet remembers as hot."""

    def __post_init__(self) -> None:
        if self.url:
            Address.parse(self.url)
        if self.codec not in CODECS:
            raise ValueError(f"codec: there is none named {self.codec!r}")
        if self.url and not 16 <= len(self.key) <= 64:  # noqa: PLR2004 - BLAKE2b's own limit
            raise ValueError(f"key: must have 16 to 64 bytes, not {len(self.key)}")
        if not 0 < self.eager <= 1:
            raise ValueError(f"eager: must be above 0 and at most 1, not {self.eager}")
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be above 0, not {getattr(self, name)}")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative, is {getattr(self, name)}")
