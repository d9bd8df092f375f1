"""Caches: hits by level and kind, hits by size, purging by tag and the size of L1."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema, Status

from console import controls, fleetview
from console.access.audit import Actor
from console.access.tokens import Caller
from console.api.asked import COMMON, FOR_S, Asked, body
from console.api.auth import operator, viewer
from console.api.wanted import Desired, audit_id_of, desired_of, heard_fleet
from console.controls.bounds import DEFAULT_S, SIZES, TAGS
from console.fleetview import Fleet, KindCounts

router = Router(tags=["Caches"])


class Kind(Schema):
    """Look-ups by what answered; `hit_rate` null: nothing was looked up."""

    kind: str
    l1: int
    l2: int
    stale: int
    negative: int
    miss: int
    total: int
    hit_rate: float | None


class CacheOnWorker(Schema):
    """The cache of one process; counts are since its start."""

    entries: int
    bytes: int
    max_entries: int
    max_bytes: int
    evicted: int
    expired: int
    codecs: dict[str, int]
    bytes_raw: int
    bytes_stored: int
    corrupt: int
    coalesced: int
    invalidated: int
    warmed: int
    curve: list[tuple[int, float]]
    sampled: int
    worker: str
    worker_state: Literal["up", "stale", "gone"]
    age_s: float
    acknowledged: bool
    policy: str
    l2_reachable: bool | None


class Caches(Schema):
    """Sums over the `workers` that are up and report a cache, null where none does. `acknowledged`
    of `heard` workers obey what is desired of L1; null, and `reachable` false: nobody could be
    asked. `curve`: share of look-ups that an L1 of so many entries would have answered.
    """

    entries: int | None
    bytes: int | None
    max_entries: int | None
    max_bytes: int | None
    evicted: int | None
    expired: int | None
    codecs: dict[str, int]
    bytes_raw: int | None
    bytes_stored: int | None
    corrupt: int | None
    coalesced: int | None
    invalidated: int | None
    curve: list[tuple[int, float]]
    sampled: int | None
    desired: Desired
    reachable: bool
    acknowledged: int | None
    heard: int | None
    workers: int | None
    policies: list[str]
    l2_reachable: int | None
    l2_unreachable: int | None
    l2_not_asked: int | None
    kinds: list[Kind]
    total: Kind | None
    age_s: float | None
    on_workers: list[CacheOnWorker]


class Purged(Schema):
    """Accepted: each worker that acknowledges `revision` or a later one has dropped the tag.

    `acknowledged` and `workers` null, and `reachable` false: nobody could be asked.
    """

    tag: str
    revision: int
    reachable: bool
    acknowledged: int | None
    workers: int | None
    audit_id: int | None


class Resized(Caches):
    """`audit_id` is the entry of this act, by which it can be taken back."""

    audit_id: int | None


_PURGE = body(
    {
        "tag": {
            "type": "string",
            "maxLength": 160,
            "description": f"{', '.join(TAGS)}, node:<host:port> or block:<hash>.",
        },
        "confirm": {"type": "string", "description": "The tag again."},
        "reason": COMMON["reason"],
    },
    ("tag", "confirm", "reason"),
    {"tag": "head", "confirm": "head", "reason": "The node served an old head"},
)
_RESIZE = body(
    {
        **{
            name: {"type": "integer", "minimum": low, "maximum": high, "description": text}
            for name, (low, high, _, text) in SIZES.items()
        },
        "for_s": {
            **FOR_S,
            "type": ["number", "null"],
            "description": "Seconds until it ends by itself. Null, for admins only: it lasts.",
        },
        **COMMON,
    },
    ("reason",),
    {"max_entries": 50_000, "for_s": 3600, "reason": "Try what the curve predicts"},
)


@router.get("/caches", auth=viewer, response=Caches, summary="Read the caches")
def get_caches(request: HttpRequest) -> dict[str, Any]:
    """Both tiers as the workers see them; 503 when nobody reports."""
    return _figures(heard_fleet())


@router.post(
    "/caches/purge",
    auth=operator,
    response={202: Purged},
    openapi_extra=_PURGE,
    summary="Purge by tag",
)
def purge(request: HttpRequest) -> Status[dict[str, Any]]:
    """Drops what carries `tag` from L1 of every worker and from L2; `confirm` holds it again."""
    asked = Asked(request, "tag", "confirm", "reason")
    tag = asked.text("tag")
    revision = controls.purge(
        _actor(request), tag, reason=asked.text("reason", ""), confirm=asked.text("confirm", "")
    )
    fleet = fleetview.look()
    said = {
        "tag": tag,
        "revision": revision,
        "reachable": fleet.reachable,
        "acknowledged": fleet.acknowledged(revision) if fleet.reachable else None,
        "workers": fleet.heard if fleet.reachable else None,
        "audit_id": audit_id_of(revision),
    }
    return Status(202, said)


@router.post(
    "/caches/resize",
    auth=operator,
    response=Resized,
    openapi_extra=_RESIZE,
    summary="Resize L1",
)
def resize(request: HttpRequest) -> dict[str, Any]:
    """The bounds of L1 in every worker, in place of those set before; none given: they end."""
    asked = Asked(request, *SIZES, "for_s", "reason", "revision")
    order = controls.resize_l1(
        _actor(request),
        {name: asked.number(name, 0) for name in SIZES if name in asked},
        reason=asked.text("reason", ""),
        for_s=asked.number_or_null("for_s", DEFAULT_S),
        based_on=asked.revision(),
    )
    return _figures(fleetview.look()) | {"audit_id": audit_id_of(order.revision)}


def _actor(request: HttpRequest) -> Actor:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    return Actor.by_api(caller)


def _figures(fleet: Fleet) -> dict[str, Any]:
    found = fleetview.caches(fleet)
    asked = ("acknowledged", "heard", "workers")
    other = {"desired", "reachable", "kinds", "total", "on_workers", *asked}
    known = set(Caches.model_fields) - other
    on_workers = [
        msgspec.structs.asdict(row.report)
        | {
            "worker": row.worker.id,
            "worker_state": row.worker.state,
            "age_s": row.age_s,
            "acknowledged": row.acknowledged,
        }
        for row in found.rows
    ]
    return {name: getattr(found, name) for name in known} | {
        **{name: getattr(found, name) if fleet.reachable else None for name in asked},
        "desired": desired_of(found.desired),
        "reachable": fleet.reachable,
        "kinds": [_kind(kind) for kind in found.kinds],
        "total": _kind(found.total) if found.total else None,
        "on_workers": on_workers,
    }


def _kind(counts: KindCounts) -> dict[str, Any]:
    return {name: getattr(counts, name) for name in Kind.model_fields}
