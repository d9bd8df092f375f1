"""The servers as the collector last saw them: Postgres, both Valkeys, Celery's queue."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from functools import reduce
from operator import or_
from types import GenericAlias, UnionType
from typing import Any, cast, get_args, get_origin

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import create_model

from console.api.auth import viewer
from console.api.problems import Problem
from monitoring.collectors import celery, postgres, told, valkey
from monitoring.collectors.advice import Advice, advice
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.told import Told
from monitoring.collectors.valkey import ValkeySample

router = Router(tags=["Database"])


def _schema_of(kind: type[msgspec.Struct]) -> type[Schema]:
    """The fields of a sample as they are, so that the document leaves out nothing it holds."""
    known = _SCHEMAS.get(kind)
    if known is None:
        fields = {field.name: (_type_of(field.type), ...) for field in msgspec.structs.fields(kind)}
        made = create_model(kind.__name__, __base__=Schema, __doc__=kind.__doc__, **fields)  # type: ignore[call-overload]
        known = _SCHEMAS[kind] = cast("type[Schema]", made)
    return known


_SCHEMAS: dict[type[msgspec.Struct], type[Schema]] = {}


def _type_of(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _schema_of(kind)
    parts = [_type_of(part) for part in get_args(kind)]
    if isinstance(kind, UnionType):
        return reduce(or_, parts)
    if get_origin(kind) is tuple:
        return GenericAlias(list, (parts[0],))
    return kind


class Source(Schema):
    """How old the sample is; where the last look failed, why, and how long ago that was."""

    age_s: float | None
    failure: str
    failure_age_s: float | None


class PostgresSource(Source):
    sample: _schema_of(PostgresSample) | None  # type: ignore[valid-type]


class ValkeySource(Source):
    sample: _schema_of(ValkeySample) | None  # type: ignore[valid-type]


class CelerySource(Source):
    sample: _schema_of(CelerySample) | None  # type: ignore[valid-type]


class Database(Schema):
    """A sample is null where nobody has looked within an hour; a part of it is null where that
    part could not be read, and its `failures` say why. Texts of statements hold no values.
    """

    postgres: PostgresSource
    advice: list[_schema_of(Advice)]  # type: ignore[valid-type]
    cache: ValkeySource
    broker: ValkeySource
    celery: CelerySource


@router.get("/database", auth=viewer, response=Database, summary="See the database")
def see_database(request: HttpRequest) -> dict[str, Any]:
    """What the collector saw in the last seconds; asking for it asks no server but Valkey. 503
    when that cannot be asked.
    """
    found = told.read(postgres.SOURCE, PostgresSample)
    if not found.reachable:
        raise Problem(503, "No sample can be read: the cache server does not answer.")
    return {
        "postgres": _source(found),
        "advice": msgspec.to_builtins(advice(found.sample)) if found.sample else [],
        "cache": _source(told.read(valkey.CACHE, ValkeySample)),
        "broker": _source(told.read(valkey.BROKER, ValkeySample)),
        "celery": _source(told.read(celery.SOURCE, CelerySample)),
    }


def _source(found: Told[Any]) -> dict[str, Any]:
    return {
        "sample": None if found.sample is None else msgspec.to_builtins(found.sample),
        "age_s": found.age_s,
        "failure": found.failure,
        "failure_age_s": found.failure_age_s,
    }
