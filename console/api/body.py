"""The JSON object that `POST /runs` takes; what does not fit is named with its field and value."""

from dataclasses import dataclass

from console.api.problems import Problem, field_error

_FIELDS = ("items", "level", "agreement", "title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """`level` and `agreement` are looked at where the query's are too."""

    items: list[str]
    level: object
    agreement: object
    title: str


def body_of(document: object) -> Body:
    if not isinstance(document, dict):
        raise Problem(422, f"The body is {_kind(document)}: send an object with a field `items`.")
    for name in document:
        if name not in _FIELDS:
            text = f"The body has a field {str(name)[:80]!r}: it may hold {', '.join(_FIELDS)}."
            raise Problem(422, text)
    if "items" not in document:
        raise Problem(422, "The body has no field `items`: give the subjects as a list of texts.")
    title = document.get("title", "")
    if not isinstance(title, str):
        raise field_error("title", title, "a text")
    return Body(
        items=_items(document["items"]),
        level=_whole("level", document.get("level"), "a whole number from 0 to 5"),
        agreement=_whole("agreement", document.get("agreement"), "a whole number from 2"),
        title=title,
    )


def _items(value: object) -> list[str]:
    if not isinstance(value, list):
        raise field_error("items", value, "a list of texts")
    for place, item in enumerate(value):
        if not isinstance(item, str):
            raise field_error(f"items[{place}]", item, "a text such as `block:1`")
    return value


def _whole(field: str, value: object, expected: str) -> object:
    """Text is a number in an address only; JSON has its own."""
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise field_error(field, value, expected)
    return value


def _kind(document: object) -> str:
    if document is None:
        return "null"
    known = {list: "a list", str: "a text", bool: "true or false", int: "a number"}
    return known.get(type(document), "a number")
