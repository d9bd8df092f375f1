"""Every way an answer can fail to come, mapped once, each saying what may be done about it.

`retryable`: asking again later may help. `trips_breaker`: the node is at fault; the caller's own
mistake, a full local queue and a limit the node enforces politely never are.
"""

from typing import ClassVar, Self

from validation.rpc.timing import Span, Timing


class RpcError(Exception):
    """One fetch did not get its answers. Results are filed under `reason`, a stable code."""

    reason: ClassVar[str] = "rpc_error"
    retryable: bool = False
    trips_breaker: bool = False

    def __init__(self, message: str, *, node: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.retry_after_s = retry_after_s
        self.timing: Timing | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where the time went until then."""
        return () if self.timing is None else self.timing.spans()

    def __str__(self) -> str:
        return f"{self.node}: {self.message}" if self.node else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).__new__, (type(self), self.message), self.__dict__

    def clone(self) -> Self:
        """The same error for another waiter: one instance raised twice collects both tracebacks."""
        twin = type(self).__new__(type(self), self.message)
        twin.__dict__.update(self.__dict__)
        twin.args = self.args
        twin.__cause__ = self.__cause__
        return twin


class NodeUnreachable(RpcError):
    """No connection, or one that broke before the whole answer."""

    reason = "node_unreachable"
    retryable = True
    trips_breaker = True


class NodeTimeout(RpcError):
    """Connected, but the whole answer did not come in time."""

    reason = "node_timeout"
    retryable = True
    trips_breaker = True


class RateLimited(RpcError):
    """HTTP 429 or JSON-RPC -32005: the node is well and wants fewer calls."""

    reason = "rate_limited"
    retryable = True


class HttpStatus(RpcError):
    """An HTTP status that is no answer. From 500 on (and 408) the node may recover."""

    reason = "http_status"
    trips_breaker = True

    def __init__(
        self, message: str, *, status: int, node: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, node=node, retry_after_s=retry_after_s)
        self.status = status
        self.retryable = status >= 500 or status == 408  # noqa: PLR2004 - HTTP's own classes


class Redirected(HttpStatus):
    """The node points elsewhere; following would leave the address that was checked."""

    reason = "redirected"


class BadAnswer(RpcError):
    """Not JSON-RPC, ids that do not match what was asked, or a value that cannot be decoded."""

    reason = "bad_answer"
    trips_breaker = True


class AnswerTooLarge(RpcError):
    """More bytes or containers than this client takes. Asking for less at once may help."""

    reason = "answer_too_large"


class BatchRefused(RpcError):
    """The node answered the batch as a whole with one error."""

    reason = "batch_refused"


class CallRefused(RpcError):
    """The node answered this one call with a JSON-RPC error."""

    reason = "call_refused"

    def __init__(self, message: str, *, code: int, node: str = "") -> None:
        super().__init__(message, node=node)
        self.code = code
        # EIP-1474: -32603 internal error, -32002 resource unavailable. The rest is about the call.
        self.retryable = code in {-32603, -32002}
        self.trips_breaker = code == -32603  # noqa: PLR2004 - EIP-1474's own number


class WrongChain(RpcError):
    """The node serves another chain than the one configured: none of its answers count."""

    reason = "wrong_chain"
    trips_breaker = True


class AddressRefused(RpcError):
    """The node's name leads to a network that this deployment has not allowed."""

    reason = "address_refused"


class BreakerOpen(RpcError):
    """No breaker let the call through before its time ran out; nothing was asked."""

    reason = "breaker_open"
    retryable = True


class NoNode(RpcError):
    """No node is in service, or not the one that is to be asked; nothing was asked."""

    reason = "no_node"
    retryable = True


class DeadlineExceeded(RpcError):
    """The caller's own time ran out, in a queue or between attempts."""

    reason = "deadline_exceeded"
    retryable = True


class Saturated(RpcError):
    """The process already holds as many waiting calls as it may."""

    reason = "saturated"
    retryable = True


class ClientClosed(RpcError):
    """The client was closed while the call waited."""

    reason = "client_closed"
    retryable = True


class ClientFault(RpcError):
    """A defect of this client, told as an error so that no caller waits for ever."""

    reason = "client_fault"
