"""What nodes answered, kept near: in this process (L1) and in Valkey (L2).

Enters: the calls of a fetch, and what a node answered. Leaves: the same answers, each saying which
tier knew it and how old it is. Depends on `validation.rpc` (calls, replies, decoders), on
`validation.resilience` for the breaker in front of Valkey and on `monitoring.instruments`; on
neither Django nor Celery.
"""

from validation.cache.config import CacheConfig
from validation.cache.fetcher import CachedFetcher
from validation.cache.freshness import Finality, Lifetime
from validation.cache.hits import Hit, Made, Want
from validation.cache.l1 import L1, L1Config
from validation.cache.steering import Steering
from validation.cache.tiered import TieredCache

__all__ = [
    "L1",
    "CacheConfig",
    "CachedFetcher",
    "Finality",
    "Hit",
    "L1Config",
    "Lifetime",
    "Made",
    "Steering",
    "TieredCache",
    "Want",
]
