"""What of the cache can be exchanged while it runs, each by its name."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from validation.cache.codec import CODECS
from validation.cache.expiry import EXPIRIES
from validation.cache.policies import POLICIES
from validation.cache.sharing import SHARINGS
from validation.cache.warming import WARMINGS

if TYPE_CHECKING:
    from validation.cache.tiered import TieredCache


class Variants:
    """On the loop's thread; cheap where nothing changes. No entry is lost, and whatever was stored
    under another variant is read. ValueError for what there is none of: nothing has changed then.
    Each property says what is in force, whoever wanted it.
    """

    def __init__(self, cache: "TieredCache") -> None:
        self._cache = cache
        self._codec = cache.config.codec
        self._threshold = 0

    @property
    def policy(self) -> str:
        return self._cache.l1.policy

    def set_policy(self, name: str) -> None:
        self._cache.l1.switch(_known("policy", name, POLICIES))

    @property
    def max_entries(self) -> int:
        """An operator's, where one said so."""
        return self._cache.l1.max_entries

    def set_max_entries(self, entries: int) -> None:
        """0: as configured."""
        self._cache.bounds.flag(entries)

    @property
    def ttl_s(self) -> float:
        return self._cache.l1_ttl_s

    def set_ttl(self, seconds: float) -> None:
        """0: as configured. A shorter one holds for what is there too."""
        cache = self._cache
        ttl_s = _natural("ttl", seconds) or cache.config.l1_ttl_s
        if ttl_s < cache.l1_ttl_s:
            cache.l1.keep_for(ttl_s)
        cache.l1_ttl_s = ttl_s

    @property
    def expiry(self) -> str:
        return self._cache.l1.expiry

    def set_expiry(self, name: str) -> None:
        self._cache.l1.expire_by(_known("expiry", name, EXPIRIES))

    @property
    def sizing(self) -> str:
        return self._cache.bounds.sizing

    def set_sizing(self, name: str) -> None:
        self._cache.bounds.size_by(name)

    @property
    def codec(self) -> str:
        """Of what is written from now on."""
        return self._codec

    def set_codec(self, name: str) -> None:
        self._codec = _known("codec", name, CODECS)
        self._tell_l2()

    @property
    def threshold(self) -> int:
        """0: as the codec says."""
        return self._threshold

    def set_threshold(self, size: int) -> None:
        self._threshold = int(_natural("threshold", size))
        self._tell_l2()

    @property
    def warming(self) -> str:
        return self._cache.warming.name

    def set_warming(self, name: str) -> None:
        """Fills L1 at once where it begins to."""
        cache = self._cache
        before, cache.warming = cache.warming, WARMINGS[_known("warming", name, WARMINGS)]
        if cache.warming is not before and cache.fill is not None:
            cache.fill()

    @property
    def sharing(self) -> str:
        return self._cache.sharing.name

    def set_sharing(self, name: str) -> None:
        """Of who asks from now on; who waits already goes on to."""
        self._cache.sharing = SHARINGS[_known("sharing", name, SHARINGS)]

    def _tell_l2(self) -> None:
        l2 = self._cache.l2
        if l2 is not None:
            l2.codec, l2.threshold = self._codec, self._threshold


def _known(what: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise ValueError(f"{what}: there is none named {name!r}; one of {', '.join(names)}")
    return name


def _natural(what: str, number: float) -> float:
    if number < 0:
        raise ValueError(f"{what}: must not be negative, is {number}")
    return number
