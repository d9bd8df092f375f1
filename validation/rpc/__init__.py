"""The JSON-RPC client of the engine.

Enters: calls (method, parameters, how to decode the result) and node URLs. Leaves: typed values
with the label of the node they came from, or one `RpcError` that says whether to try again and
whether the node is to blame. Depends on httpx (in `transport` alone), httptools, msgspec,
structlog, and on Valkey (off the path of calls, in `fleet` alone); of this project on
`validation.resilience` and `monitoring.instruments`; on neither Django nor Celery. How it asks is
exchangeable while it works: `steering`, and `client.mode` for one item.
"""

from validation.rpc.addresses import AddressPolicy
from validation.rpc.calls import Call, Reply, Span
from validation.rpc.classes import breaker_name
from validation.rpc.client import RpcClient
from validation.rpc.config import RpcConfig
from validation.rpc.endpoints import NodeInfo, NodeUrl
from validation.rpc.errors import (
    AddressRefused,
    AnswerTooLarge,
    BadAnswer,
    BatchRefused,
    BreakerOpen,
    CallRefused,
    ClientClosed,
    ClientFault,
    DeadlineExceeded,
    HttpStatus,
    NodeTimeout,
    NodeUnreachable,
    NoNode,
    RateLimited,
    Redirected,
    RpcError,
    Saturated,
    WrongChain,
)
from validation.rpc.forms import FORMS
from validation.rpc.limiters import LIMITERS
from validation.rpc.modes import Asks
from validation.rpc.portal import Portal
from validation.rpc.probe import probe
from validation.rpc.rates import SCOPES, RateBudgets
from validation.rpc.reports import NodeState, PoolState
from validation.rpc.request_log import REQUEST_LOGS
from validation.rpc.retry_policies import RETRIES
from validation.rpc.turns import ProbeTurns

__all__ = [
    "FORMS",
    "LIMITERS",
    "REQUEST_LOGS",
    "RETRIES",
    "SCOPES",
    "AddressPolicy",
    "AddressRefused",
    "AnswerTooLarge",
    "Asks",
    "BadAnswer",
    "BatchRefused",
    "BreakerOpen",
    "Call",
    "CallRefused",
    "ClientClosed",
    "ClientFault",
    "DeadlineExceeded",
    "HttpStatus",
    "NoNode",
    "NodeInfo",
    "NodeState",
    "NodeTimeout",
    "NodeUnreachable",
    "NodeUrl",
    "PoolState",
    "Portal",
    "ProbeTurns",
    "RateBudgets",
    "RateLimited",
    "Redirected",
    "Reply",
    "RpcClient",
    "RpcConfig",
    "RpcError",
    "Saturated",
    "Span",
    "WrongChain",
    "breaker_name",
    "probe",
]
