"""Every way a stored entry can be no use. All of them mean a miss, and are counted."""

from typing import ClassVar


class CacheError(Exception):
    """Never leaves the cache: whoever asked gets the answer from the next level."""

    reason: ClassVar[str] = "cache_error"
    retryable: ClassVar[bool] = False
    trips_breaker: ClassVar[bool] = False


class CorruptPayload(CacheError):
    """Not what was sealed under this key: cut, altered, bound to another name, or larger than it
    says it is.
    """

    reason = "corrupt"


class ForeignPayload(CacheError):
    """Somebody else's bytes, or an envelope, codec or dictionary that this version cannot read."""

    reason = "foreign"
