"""The JSON-RPC client of the engine.

Enters: calls (method, parameters, how to decode the result) and node URLs. Leaves: typed values
with the label of the node they came from, or one `RpcError` that says whether to try again and
whether the node is to blame. Depends on httpx (in `transport` alone), httptools and msgspec; on
neither Django nor Celery, nor on any other package of this project.
"""

from validation.rpc.addresses import AddressPolicy
from validation.rpc.calls import Call, Reply
from validation.rpc.client import RpcClient
from validation.rpc.config import RpcConfig
from validation.rpc.endpoints import NodeInfo, NodeUrl
from validation.rpc.errors import (
    AddressRefused,
    AnswerTooLarge,
    BadAnswer,
    BatchRefused,
    CallRefused,
    ClientClosed,
    ClientFault,
    DeadlineExceeded,
    HttpStatus,
    NodeTimeout,
    NodeUnreachable,
    RateLimited,
    Redirected,
    RpcError,
    Saturated,
    WrongChain,
)
from validation.rpc.portal import Portal
from validation.rpc.probe import probe

__all__ = [
    "AddressPolicy",
    "AddressRefused",
    "AnswerTooLarge",
    "BadAnswer",
    "BatchRefused",
    "Call",
    "CallRefused",
    "ClientClosed",
    "ClientFault",
    "DeadlineExceeded",
    "HttpStatus",
    "NodeInfo",
    "NodeTimeout",
    "NodeUnreachable",
    "NodeUrl",
    "Portal",
    "RateLimited",
    "Redirected",
    "Reply",
    "RpcClient",
    "RpcConfig",
    "RpcError",
    "Saturated",
    "WrongChain",
    "probe",
]
