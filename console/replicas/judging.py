"""Whether a replica may be read from: out at the first sign, back after several good ones."""

from dataclasses import dataclass
from typing import Final

from console.replicas.lag import UNKNOWN, Lag

# The sources' own bound of staleness, and the lag at which they alert.
OUT_S: Final = 5.0
BACK_S: Final = 2.0
# In a row, of every five seconds, after it was out: one that comes and goes is not read from.
BACK_AFTER: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a replica answered. `ill`: it may not be read from whatever its lag is, and why."""

    lag: Lag
    ill: str = ""


class Judgement:
    """Of one replica, in one process. `heard` and `missed` are one thread's; any may `fail` it."""

    def __init__(self) -> None:
        self.in_use = False
        self.why = "It was not asked yet."
        self.lag = UNKNOWN
        self.reachable = False
        # It answers, and is no replica of ours to read from, whatever its lag.
        self.ill = ""
        # The first time one good look is enough: nothing speaks against it.
        self._wanted = 1
        self._good = 0

    def heard(self, heard: Heard) -> None:
        self.reachable = True
        self.lag = heard.lag
        self.ill = heard.ill
        bound_s = OUT_S if self.in_use else BACK_S
        if heard.ill:
            self._put_out(heard.ill)
        elif heard.lag.seconds is None:
            self._put_out("How far it is behind is not known.")
        elif heard.lag.seconds > bound_s:
            then = "{:g} s are allowed" if self.in_use else "it is used again at {:g} s"
            self._put_out(f"It is {heard.lag.seconds:.1f} s behind; {then.format(bound_s)}.")
        else:
            self._good += 1
            if self.in_use or self._good >= self._wanted:
                self.in_use, self.why, self._wanted = True, "", BACK_AFTER
            else:
                self.why = f"Well again in {self._good} of {self._wanted} looks."

    def missed(self, why: str) -> None:
        self.reachable = False
        self.ill = ""
        self.lag = UNKNOWN
        self._put_out(why)

    def fail(self) -> None:
        """A request could not read from it."""
        if self.in_use:
            self._put_out("A read from it failed.")

    def _put_out(self, why: str) -> None:
        self.in_use, self.why = False, why
        self._good = 0
