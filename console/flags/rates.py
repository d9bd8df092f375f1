"""The quotas of the two ways in by token, /api/v1/ and /ofrep/: one each, for the whole process."""

from functools import cache

from django.conf import settings

from console.access.quotas import Quotas
from console.flags.catalogue import API_QUOTAS
from console.flags.web import decisions


@cache
def of_api() -> Quotas:
    return Quotas(settings.API_RATE, _in_force)


@cache
def of_ofrep() -> Quotas:
    return Quotas(settings.OFREP_RATE, _in_force)


def _in_force() -> str:
    return decisions().value(API_QUOTAS)
