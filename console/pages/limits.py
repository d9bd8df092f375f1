"""How a limit is written: what is used of what is allowed, in its unit."""

from math import isinf

from console.capacity import Limit
from console.pages import figures

_UNITS = {"rate": "calls a second", "bytes": "", "seconds": ""}


def used(one: Limit, *, thin: str = figures.THIN) -> str:
    """`27 of 197 connections`; `thin` stands between the figures of a long number."""
    if one.uses is None and one.allows is None:
        return "no data"
    unit = _UNITS.get(one.unit, one.unit)
    said = f"{amount(one, one.uses)} of {amount(one, one.allows)} {unit}".rstrip()
    return said.replace(figures.THIN, thin)


def amount(one: Limit, value: float | None) -> str:
    if value is None:
        return "no data"
    if isinf(value):
        return "no end"
    if one.unit == "bytes":
        return figures.size(int(value))
    if one.unit == "seconds":
        return f"{value:g}{figures.THIN}s"
    return figures.count(round(value))
