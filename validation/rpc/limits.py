"""How much of one node this process may use at once: calls, requests, and calls that wait."""

from validation.rpc.config import RpcConfig
from validation.rpc.errors import Saturated
from validation.rpc.forms import Form, Load
from validation.rpc.limiters import ConcurrencyLimit
from validation.rpc.rates import RateLease


class NodeLimits:
    """Counts of one node. The limiter may be exchanged at any time; what is out stays out."""

    __slots__ = (
        "in_flight",
        "in_flight_max_seen",
        "lease",
        "limiter",
        "max_requests",
        "max_waiting",
        "requests",
        "waiting",
    )

    def __init__(
        self, config: RpcConfig, limiter: ConcurrencyLimit, lease: RateLease | None = None
    ) -> None:
        self.limiter = limiter
        self.lease = lease
        self.max_requests = config.max_connections
        self.max_waiting = config.max_waiting
        self.in_flight = 0
        self.in_flight_max_seen = 0
        self.requests = 0
        self.waiting = 0

    def room(self) -> int:
        """Calls that may go out now. All of it is kept for few requests: a connection each."""
        if self.requests >= self.max_requests:
            return 0
        return self.limiter.limit - self.in_flight

    def load_of(self, form: Form, calls: int, *, asks_chain: bool) -> Load:
        """What so many calls would take now."""
        sockets = self.max_requests - self.requests
        room = self.limiter.limit - self.in_flight
        return form.load(calls, asks_chain=asks_chain, sockets=sockets, room=room)

    def admit(self, calls: int, *, node: str) -> None:
        """Counts calls into the queue, or raises `Saturated`."""
        if self.waiting + calls > self.max_waiting:
            raise Saturated(
                f"{self.waiting} calls wait for this node already (at most {self.max_waiting})",
                node=node,
            )
        self.waiting += calls

    def take(self, load: Load) -> None:
        """For a sending that is about to go out; `free` gives it back."""
        requests, at_once, calls, _ = load
        self.requests += requests
        self.in_flight += at_once
        self.in_flight_max_seen = max(self.in_flight_max_seen, self.in_flight)
        if self.lease is not None:
            self.lease.spend(calls)

    def free(self, load: Load) -> None:
        self.requests -= load[0]
        self.in_flight -= load[1]

    def add(self, calls: int) -> None:
        """Calls that go with what is out already; negative once they are back."""
        self.in_flight += calls
        self.in_flight_max_seen = max(self.in_flight_max_seen, self.in_flight)
        if self.lease is not None and calls > 0:
            self.lease.spend(calls)
