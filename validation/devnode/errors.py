"""The errors of JSON-RPC 2.0 and EIP-1474 that the node answers with."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32001
LIMIT_EXCEEDED = -32005


class RpcFault(Exception):
    """One call's error answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DevnodeError(Exception):
    """The node cannot be started or set so; the message is for the person who asked."""


class BadSetting(DevnodeError):
    """A control was given a value that it does not take."""

    def __init__(self, name: str, value: object, wanted: str) -> None:
        shown = repr(value)
        if len(shown) > 80:  # noqa: PLR2004 - enough to recognise it by
            shown = shown[:77] + "..."
        super().__init__(f"{name} must be {wanted}, not {shown}.")
        self.name = name
        self.shown = shown
        self.wanted = wanted
