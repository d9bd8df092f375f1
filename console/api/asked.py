"""The JSON object of a change: what it may hold, and each value of the type that it must have."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from console.api.problems import Problem, field_error
from console.api.strict_json import read_json

_MOST = 64 * 1024

# What every change holds; an operation adds its own.
COMMON: Mapping[str, Any] = {
    "reason": {"type": "string", "minLength": 10, "maxLength": 500},
    "revision": {
        "type": ["integer", "null"],
        "description": "The revision that you saw; another answers 409. Null: whatever there is.",
    },
}
FOR_S: Mapping[str, Any] = {"type": "number", "minimum": 5, "maximum": 86_400, "default": 900}


def body(
    properties: Mapping[str, Any], required: tuple[str, ...], example: Mapping[str, Any]
) -> dict[str, Any]:
    """The `openapi_extra` of an operation that takes one JSON object."""
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": dict(properties),
    }
    content = {"application/json": {"schema": schema, "example": dict(example)}}
    return {"requestBody": {"required": True, "content": content}}


def moment_of(field: str, value: object) -> datetime:
    """Of a text as ISO 8601 has it, with its zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise field_error(field, value, "a time with its zone, such as 2030-01-31T12:00:00Z")
    return found


class Asked:
    """The fields of a request's body. Each reader names its field in what it refuses."""

    def __init__(self, request: HttpRequest, *fields: str, most: int = _MOST) -> None:
        if (request.content_type or "").lower() != "application/json":
            said = (request.content_type or "nothing")[:80]
            raise Problem(415, f"Content-Type says {said!r}: send application/json.")
        document, _ = read_json(request, most, "send the fields of this operation only")
        if not isinstance(document, dict):
            raise Problem(422, f"The body is no object: send one with {', '.join(fields)}.")
        for name in document:
            if name not in fields:
                text = f"The body has a field {str(name)[:80]!r}: it may hold {', '.join(fields)}."
                raise Problem(422, text)
        self._values: dict[str, Any] = document

    def __contains__(self, field: str) -> bool:
        return field in self._values

    def text(self, field: str, default: str | None = None) -> str:
        value = self._values.get(field, default)
        if not isinstance(value, str):
            raise field_error(field, value, "a text")
        return value

    def number(self, field: str, default: float) -> float:
        """Whole or not; its bounds are for the caller to say."""
        value = self._values.get(field, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise field_error(field, value, "a number")
        return value

    def needed_number(self, field: str) -> float:
        """One that has no default: left out it is said to be, not to be 0."""
        if field not in self._values:
            raise Problem(422, f"{field} is missing: give a number.")
        return self.number(field, 0)

    def number_or_null(self, field: str, default: float) -> float | None:
        if self._values.get(field, default) is None:
            return None
        return self.number(field, default)

    def whole(self, field: str) -> int:
        """Its bounds are for the caller to say."""
        value = self._values.get(field)
        if isinstance(value, bool) or not isinstance(value, int):
            raise field_error(field, value, "a whole number")
        return value

    def text_or_none(self, field: str) -> str | None:
        """None where it is not there, or null."""
        return None if self._values.get(field) is None else self.text(field)

    def moment(self, field: str) -> datetime:
        return moment_of(field, self._values.get(field))

    def objects(self, field: str) -> list[dict[str, Any]]:
        value = self._values.get(field, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise field_error(field, value, "a list of objects")
        return value

    def rest(self, *without: str) -> dict[str, Any]:
        """All that was sent but these, as it was sent: for who judges it elsewhere."""
        return {name: value for name, value in self._values.items() if name not in without}

    def flag(self, field: str, *, default: bool | None = None) -> bool:
        value = self._values.get(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise field_error(field, value, "true or false")
        return value

    def revision(self) -> int | None:
        value = self._values.get("revision")
        if isinstance(value, bool) or not isinstance(value, int | None):
            raise field_error("revision", value, "a whole number, or null")
        return value

    def texts(self, field: str) -> list[str]:
        value = self._values.get(field)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise field_error(field, value, "a list of texts")
        return value

    def mapping(self, field: str) -> dict[str, Any]:
        value = self._values.get(field, {})
        if not isinstance(value, dict):
            raise field_error(field, value, "an object of names and numbers")
        return value
