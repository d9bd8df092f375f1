"""The page that explains the API, drawn on the server: no script, nothing from elsewhere."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from console.http import render_page


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    place: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the page; `example` is a command that can be pasted."""

    method: str
    path: str
    summary: str
    description: str
    role: str
    scope: str
    parameters: list[Parameter]
    bodies: list[str]
    answers: list[tuple[str, str]]
    example: str


def docs_page(request: HttpRequest, document: dict[str, Any]) -> HttpResponse:
    base = request.build_absolute_uri("/").rstrip("/")
    operations = [
        _operation(method, path, operation, base)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return render_page(
        request, "api/docs.html", "", {"operations": operations, "info": document["info"]}
    )


def _operation(method: str, path: str, operation: dict[str, Any], base: str) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    answers = [(status, answer["description"]) for status, answer in operation["responses"].items()]
    return Operation(
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        role=operation["x-role"],
        scope=operation["x-scope"],
        parameters=[_parameter(p) for p in operation.get("parameters", [])],
        bodies=list(content),
        answers=sorted(answers),
        example=_example(method.upper(), base + path, content),
    )


def _parameter(parameter: dict[str, Any]) -> Parameter:
    schema = parameter["schema"]
    options = schema.get("anyOf", [schema])
    kinds = [
        " | ".join(f"“{v}”" for v in option["enum"]) if "enum" in option else option.get("type", "")
        for option in options
        if option.get("type") != "null"
    ]
    return Parameter(
        name=parameter["name"],
        place=parameter["in"],
        kind=" or ".join(kinds),
        required=parameter.get("required", False),
        description=parameter.get("description", schema.get("description", "")),
    )


def _example(method: str, url: str, content: dict[str, Any]) -> str:
    verb = "" if method == "GET" else f"-X {method} "
    lines = [f"curl -H 'Authorization: Bearer swy_…' {verb}{url}"]
    if example := content.get("application/json", {}).get("example"):
        lines.append(f"     -H 'Content-Type: application/json' -d '{json.dumps(example)}'")
    return " \\\n".join(lines)
