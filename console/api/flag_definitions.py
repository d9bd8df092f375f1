"""Which flags there are, and what they are: create, edit, delete, switch, import, export."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from console.api.asked import COMMON, Asked, body
from console.api.auth import admin, viewer
from console.api.flag_rows import FlagChanged, FlagList, actor_of, changed, listed, stood
from console.api.wanted import newest_audit_id
from console.flags import acts, compiling, definition_acts, definition_fields, flagd_file, importing
from console.flags.models import Flag
from validation.models import ControlKind

router = Router(tags=["Flags"])

_WHY = {"reason": "The shop asks for it from Monday on"}
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_FIELDS: dict[str, Any] = {
    "title": {"type": "string", "minLength": 1, "maxLength": 120},
    "description": {"type": "string", "maxLength": 4000},
    "variants": {**_OBJECT, "description": "Name and value of each, all of one type."},
    "baseline": {**_TEXT, "description": "Where a rollback ends; at first: the first variant."},
    "unit": {"enum": ["item", "process", "time_slot"]},
    "units": {"type": "array", "items": _TEXT},
    "slot_s": {"type": "integer", "minimum": 1, "maximum": 86_400},
    "fleet": {"enum": ["", "worker", "web", "all"]},
    "layer": {"type": "string", "maxLength": 40},
    "requires": {"type": "array", "items": _OBJECT, "description": "Of {flag, variant}."},
    "bake_s": {**_OBJECT, "description": "Seconds by stage."},
    "targeting": {"type": ["object", "null"], "description": "Of flagd, in the place of stages."},
    "metadata": _OBJECT,
}
_CREATE = body(
    {"key": _TEXT, **_FIELDS, "reason": COMMON["reason"]},
    ("key", "variants", "reason"),
    {"key": "shop.checkout", "variants": {"off": False, "on": True}, **_WHY},
)
_EDIT = body({**_FIELDS, **COMMON}, ("reason",), {"bake_s": {"5": 600}, **_WHY})
_PLAIN = body(COMMON, ("reason",), _WHY)
_DELETE = body(
    {"confirm": {"type": "string", "description": "The flag's key."}, **COMMON},
    ("confirm", "reason"),
    {"confirm": "shop.checkout", **_WHY},
)
_IMPORT = body(
    {"document": {**_OBJECT, "description": "A flagd file."}, "reason": COMMON["reason"]},
    ("document", "reason"),
    {"document": {"flags": {}}, **_WHY},
)


class Deleted(Schema):
    """`audit_id` is the entry of this act, by which it can be taken back."""

    key: str
    audit_id: int | None


class Imported(Schema):
    """Keys of the file by what became of them."""

    created: list[str]
    edited: list[str]
    unchanged: list[str]


@router.get("/flags", auth=viewer, response=FlagList, summary="List flags")
def list_flags(request: HttpRequest) -> dict[str, Any]:
    """How each stands, what holds it, and how many workers have heard of it."""
    return listed()


@router.post(
    "/flags",
    auth=admin,
    response={201: FlagChanged},
    openapi_extra=_CREATE,
    summary="Create a flag",
)
def create(request: HttpRequest) -> Status[dict[str, Any]]:
    """Its baseline on all units; `stage` raises it."""
    asked = Asked(request, "key", *definition_fields.FIELDS, "reason")
    why, fields = asked.text("reason", ""), asked.rest("key", "reason")
    made = definition_acts.create(actor_of(request), asked.text("key"), fields, reason=why)
    return Status(201, changed(made, None))


@router.get("/flags/-/export", auth=viewer, response=dict[str, Any], summary="Export flags")
def export(request: HttpRequest) -> dict[str, Any]:
    """All, as one file of flagd's format that any evaluator of it decides by."""
    flags = list(Flag.objects.all())
    return compiling.flag_set(flags, revision=max((flag.revision for flag in flags), default=0))


@router.post(
    "/flags/-/import", auth=admin, response=Imported, openapi_extra=_IMPORT, summary="Import flags"
)
def import_flags(request: HttpRequest) -> dict[str, Any]:
    """All of the file, of at most 4 MB, or nothing. Flags that it does not name stay."""
    # A little more than the file itself, for the reason beside it.
    asked = Asked(request, "document", "reason", most=flagd_file.LARGEST + 4096)
    found = importing.import_file(
        actor_of(request),
        flagd_file.checked(asked.mapping("document")),
        reason=asked.text("reason", ""),
    )
    return {"created": found.created, "edited": found.edited, "unchanged": found.unchanged}


@router.post(
    "/flags/{key}/edit",
    auth=admin,
    response=FlagChanged,
    openapi_extra=_EDIT,
    summary="Edit a flag",
)
def edit(request: HttpRequest, key: str) -> dict[str, Any]:
    """What is not sent stays. Of a flag of the release only `bake_s` and `slot_s`."""
    asked, was = Asked(request, *definition_fields.FIELDS, "reason", "revision"), stood(key)
    made = definition_acts.edit(
        actor_of(request),
        key,
        asked.rest("reason", "revision"),
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
    )
    return changed(made, was)


@router.post(
    "/flags/{key}/delete",
    auth=admin,
    response=Deleted,
    openapi_extra=_DELETE,
    summary="Delete a flag",
)
def delete(request: HttpRequest, key: str) -> dict[str, Any]:
    """Not one of the release. Whoever asks gets its own default from then on."""
    asked = Asked(request, "confirm", "reason", "revision")
    definition_acts.delete(
        actor_of(request),
        key,
        reason=asked.text("reason", ""),
        confirm=asked.text("confirm", ""),
        based_on=asked.revision(),
    )
    return {"key": key, "audit_id": newest_audit_id(ControlKind.FLAGS, key)}


@router.post(
    "/flags/{key}/enable",
    auth=admin,
    response=FlagChanged,
    openapi_extra=_PLAIN,
    summary="Switch a flag on",
)
def enable(request: HttpRequest, key: str) -> dict[str, Any]:
    """Whoever asks gets its variants again, as they stand."""
    asked, was = Asked(request, "reason", "revision"), stood(key)
    made = acts.enable(
        actor_of(request), key, reason=asked.text("reason", ""), based_on=asked.revision()
    )
    return changed(made, was)


@router.post(
    "/flags/{key}/disable",
    auth=admin,
    response=FlagChanged,
    openapi_extra=_PLAIN,
    summary="Switch a flag off",
)
def disable(request: HttpRequest, key: str) -> dict[str, Any]:
    """Whoever asks gets its own default."""
    asked, was = Asked(request, "reason", "revision"), stood(key)
    made = acts.disable(
        actor_of(request), key, reason=asked.text("reason", ""), based_on=asked.revision()
    )
    return changed(made, was)
