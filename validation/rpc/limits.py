"""How much of one node this process may use at once: calls, requests, and calls that wait."""

from validation.rpc.config import RpcConfig
from validation.rpc.errors import Saturated


class NodeLimits:
    """Counts of one node. `max_in_flight` may change at any time; what is out stays out."""

    __slots__ = (
        "in_flight",
        "in_flight_max_seen",
        "max_in_flight",
        "max_requests",
        "max_waiting",
        "requests",
        "waiting",
    )

    def __init__(self, config: RpcConfig) -> None:
        self.max_in_flight = config.max_in_flight
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
        return self.max_in_flight - self.in_flight

    def admit(self, calls: int, *, node: str) -> None:
        """Counts calls into the queue, or raises `Saturated`."""
        if self.waiting + calls > self.max_waiting:
            raise Saturated(
                f"{self.waiting} calls wait for this node already (at most {self.max_waiting})",
                node=node,
            )
        self.waiting += calls

    def send(self, calls: int) -> None:
        self.requests += 1
        self.in_flight += calls
        self.in_flight_max_seen = max(self.in_flight_max_seen, self.in_flight)

    def release(self, calls: int) -> None:
        self.requests -= 1
        self.in_flight -= calls
