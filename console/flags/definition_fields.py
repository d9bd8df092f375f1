"""What a flag may be: each field that a person, a program or a file brings of it, judged."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from console import strict_json
from console.controls.errors import Refused
from console.flags.compiling import TOLD
from console.flags.flagd_file import judged_rule
from console.flags.models import Flag, Unit

KEY = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")
_VARIANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,58}[A-Za-z0-9])?")
_MOST_VARIANTS = 50
_MOST_BYTES = 32 * 1024
_LONGEST_BAKE_S = 14 * 86_400
_MOST_LEVELS = 5

# What an admin may say of a flag of their own, and of one of the release.
FIELDS = (
    *("title", "description", "variants", "baseline", "unit", "units", "slot_s", "fleet", "layer"),
    *("requires", "bake_s", "targeting", "metadata"),
)
OF_RELEASE = ("slot_s", "bake_s")


def key_of(key: object) -> str:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        expected = "1 to 100 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends"
        raise Refused("key", key, expected)
    return key


def judged(fields: Mapping[str, object]) -> dict[str, Any]:
    """Each field of its kind and within its bounds; those that depend on others: `settle`."""
    found = {}
    for name, value in fields.items():
        if name not in _FIELDS:
            raise Refused("fields", name, f"one of {', '.join(_FIELDS)}")
        found[name] = _FIELDS[name](name, value)
    return found


def settle(flag: Flag, known: Mapping[str, Flag]) -> None:
    """Makes what follows from the fields follow, and refuses what does not go together. `known`:
    all flags, this one as it was or as it is.
    """
    flag.type = _type_of(flag.variants)
    for name in ("baseline", "target", "rest"):
        if getattr(flag, name) not in flag.variants:
            raise Refused(name, getattr(flag, name), f"one of {', '.join(flag.variants)}")
    flag.units = list(flag.units or [str(flag.unit)])
    if flag.unit not in flag.units:
        raise Refused("unit", str(flag.unit), f"one of {', '.join(flag.units)}")
    if flag.targeting is not None:
        flag.stage = 0
    if any(need["flag"] == flag.key for need in flag.requires):
        raise Refused("requires", flag.key, "another flag")
    for need in flag.requires:
        required = known.get(need["flag"])
        if required is None or need["variant"] not in required.variants:
            raise Refused("requires", f"{need['flag']}={need['variant']}", "a variant of a flag")
    if flag.requires:
        _refuse_ladder(flag, known)


def _refuse_ladder(flag: Flag, known: Mapping[str, Flag]) -> None:
    """Flags that wait for flags that wait, without end or so long that nobody sees through it."""
    below = {key: {need["flag"] for need in one.requires} for key, one in known.items()}
    below[flag.key] = {need["flag"] for need in flag.requires}
    above: dict[str, set[str]] = {}
    for key, needed in below.items():
        for other in needed:
            above.setdefault(other, set()).add(key)
    levels = _levels(flag.key, below) + _levels(flag.key, above)
    if levels > _MOST_LEVELS:
        raise Refused("requires", flag.key, f"within {_MOST_LEVELS} levels of requirements")


def _levels(key: str, steps: Mapping[str, set[str]]) -> int:
    """The longest way from it, as far as is looked. Raises Refused where it comes round."""
    reached, count = {key}, 0
    while count <= _MOST_LEVELS and (
        reached := {to for one in reached for to in steps.get(one, ())}
    ):
        count += 1
        if key in reached:
            raise Refused("requires", key, "free of itself: the flags it requires come back to it")
    return count


def _text(longest: int, *, least: int = 0) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        printable = isinstance(value, str) and value.replace("\n", " ").isprintable()
        if not isinstance(value, str) or not printable or not least <= len(value) <= longest:
            raise Refused(name, value, f"{least} to {longest} printable characters")
        return value

    return read


def _variants(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not 1 <= len(value) <= _MOST_VARIANTS:
        raise Refused(name, value, f"an object of 1 to {_MOST_VARIANTS} variants")
    for variant in value:
        if not isinstance(variant, str) or not _VARIANT.fullmatch(variant):
            raise Refused(f"{name}.{variant}", variant, "1 to 60 of A-Z, a-z, 0-9, '.', '_', '-'")
    _bounded(name, value)
    _type_of(value)
    return value


def _type_of(variants: Mapping[str, Any]) -> str:
    kinds = {_kind(value) for value in variants.values()}
    if kinds == {"integer", "float"}:
        return "float"
    if len(kinds) != 1 or None in kinds:
        raise Refused("variants", dict(variants), "of one type: text, number, boolean or object")
    return str(kinds.pop())


def _kind(value: object) -> str | None:
    known = ((bool, "boolean"), (int, "integer"), (float, "float"), (str, "string"))
    for kind, name in known:
        if isinstance(value, kind):
            return name
    return "object" if isinstance(value, dict | list) else None


def _unit(name: str, value: object) -> str:
    if not isinstance(value, str) or value not in Unit.values:
        raise Refused(name, value, f"one of {', '.join(Unit.values)}")
    return value


def _units(name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        raise Refused(name, value, f"a list of {', '.join(Unit.values)}")
    return [_unit(name, one) for one in value]


def _whole(least: int, most: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Refused(name, value, f"a whole number from {least} to {most}")
        return value

    return read


def _fleet(name: str, value: object) -> str:
    if value not in {"", "worker", "web", "all"}:
        raise Refused(name, value, "worker, web, all, or nothing for other services")
    return str(value)


def _requires(name: str, value: object) -> list[dict[str, str]]:
    fits = isinstance(value, list) and all(
        isinstance(need, dict)
        and set(need) == {"flag", "variant"}
        and all(isinstance(text, str) for text in need.values())
        for need in value
    )
    if not isinstance(value, list) or not fits or len(value) > _MOST_VARIANTS:
        raise Refused(name, value, 'a list of {"flag", "variant"}')
    return value


def _bake(name: str, value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise Refused(name, value, "an object of stages and seconds")
    whole = _whole(0, _LONGEST_BAKE_S)
    for stage in value:
        if not isinstance(stage, str) or not re.fullmatch(r"0|[1-9][0-9]?|100", stage):
            raise Refused(f"{name}.{stage}", stage, "a whole percent from 0 to 100")
    return {stage: whole(f"{name}.{stage}", seconds) for stage, seconds in value.items()}


def _object(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(name, value, "an object")
    _bounded(name, value)
    return value


def _targeting(name: str, value: object) -> dict[str, Any] | None:
    if value is None or value == {}:
        return None
    return judged_rule(name, _object(name, value), {})


def _metadata(name: str, value: object) -> dict[str, Any]:
    found = _object(name, value)
    if any(not isinstance(one, str | int | float | bool) for one in found.values()):
        raise Refused(name, value, "an object of texts, numbers and booleans")
    for taken in sorted(TOLD & found.keys()):
        raise Refused(f"{name}.{taken}", taken, "a free name: exports say by it how the flag is")
    return found


def _bounded(name: str, value: object) -> None:
    if strict_json.is_deep(value):
        raise Refused(name, "…", f"nested at most {strict_json.DEEPEST} deep")
    if any(not -(2**63) <= number < 2**63 for number in _whole_numbers(value)):
        raise Refused(name, "a long number", "of whole numbers of at most 64 bits")
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError as exc:
        raise Refused(name, "NaN or Infinity", "a number of JSON") from exc
    if len(text) > _MOST_BYTES:
        raise Refused(name, f"{len(text)} bytes", f"at most {_MOST_BYTES} bytes of JSON")
    if "\\u0000" in text or not strict_json.is_text(value):
        raise Refused(name, "a zero or half a character", "text that a database keeps")


def _whole_numbers(value: object) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _whole_numbers(one)


_FIELDS: Mapping[str, Callable[[str, object], Any]] = {
    "title": _text(120, least=1),
    "description": _text(4_000),
    "variants": _variants,
    "baseline": _text(60, least=1),
    "target": _text(60, least=1),
    "rest": _text(60, least=1),
    "stage": _whole(0, 100),
    "unit": _unit,
    "units": _units,
    "slot_s": _whole(1, 86_400),
    "fleet": _fleet,
    "layer": _text(40),
    "requires": _requires,
    "bake_s": _bake,
    "targeting": _targeting,
    "metadata": _metadata,
}
