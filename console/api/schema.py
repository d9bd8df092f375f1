"""The OpenAPI document: ninja's, with what every operation shares (security, problems)."""

from functools import cache
from typing import Any

from ninja import NinjaAPI

from console.api.auth import Needs

PREFIX = "/api/v1/"
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token made in Settings."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_COMMON = {
    "401": "No valid token",
    "403": "The role is too low, or the token lacks the scope",
    "429": "The token made all its calls of the minute; Retry-After says when to try again",
    "503": "Busy; try again",
}
_OF_WRITES = {"409": "It conflicts with what is", "422": "Not understood; says which field"}
_TURNS = {
    "429": "Others ask nodes, or the token made its calls; Retry-After says when to try again"
}
# By how an address ends, of posts.
_OF_ASKING = {
    "/nodes": _TURNS,
    "/test": _TURNS,
    "/drill": _TURNS | {"502": "The node gives nothing to drill with"},
}
_OF_START = {
    "400": "A malformed form",
    "413": "The body is too large",
    "415": "The body's type is not supported",
}


@cache
def openapi_document(api: NinjaAPI) -> dict[str, Any]:
    document: dict[str, Any] = api.get_openapi_schema(path_prefix=PREFIX)
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    document["security"] = [{"bearer": []}, {"key": []}]
    document["servers"] = [{"url": "/"}]
    for address, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, address, method)
    _say_roles(api, document)
    return document


def _complete(operation: dict[str, Any], address: str, method: str) -> None:
    responses = {str(status): answer for status, answer in operation["responses"].items()}
    said = dict(_COMMON)
    if "{" in address:
        said["404"] = "There is nothing of that number or name"
    if method == "post" or operation.get("parameters"):
        said |= _OF_WRITES
    if "requestBody" in operation:
        said |= _OF_START
    if method == "post":
        for end, asking in _OF_ASKING.items():
            said |= asking if address.endswith(end) else {}
    if address.endswith("/proof"):
        bundle = {"schema": {"type": "object"}}
        responses["200"] = {
            "description": "The bundle, one JSON object",
            "content": {"application/json": bundle},
        }
    if address.endswith("/results"):
        lines = {"schema": {"type": "string"}}
        responses["200"] = {
            "description": "One JSON object a line",
            "content": {"application/x-ndjson": lines},
        }
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    content = {"application/problem+json": schema}
    for status, description in said.items():
        responses[status] = {"description": description, "content": content}
    operation["responses"] = responses


def _say_roles(api: NinjaAPI, document: dict[str, Any]) -> None:
    """`x-role`, the least role that an operation takes, and `x-scope`, that of a token: from what
    enforces them.
    """
    for prefix, router in api._routers:  # noqa: SLF001 - ninja has no public way to walk operations
        for address, view in router.path_operations.items():
            full = f"{PREFIX}{prefix}{address}".replace("//", "/").replace("{int:", "{")
            for operation in view.operations:
                needs = next(a for a in operation.auth_callbacks if isinstance(a, Needs))
                for method in operation.methods:
                    said = document["paths"][full][method.lower()]
                    said["x-role"] = str(needs.role)
                    said["x-scope"] = needs.said(method, full)
