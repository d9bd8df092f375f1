"""A file in flagd's format: what is exported, and what of a file that is brought may be believed.

What a flag here has and flagd's format has not goes into its metadata, so that an export comes back
as it was. What the fields mean is judged by whoever imports them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS

from console.controls.errors import Refused
from console.flags import compiling
from console.flags.models import Flag
from console.flags.states import FlagState

LARGEST: Final = 4 * 1024 * 1024
_DEEPEST: Final = 64
_SCALARS: Final = (str, int, float, bool)
_FIELDS: Final = ("state", "variants", "defaultVariant", "targeting", "metadata")
# Of flagd's own bookkeeping; its evaluator passes over them too.
_PASSED_OVER: Final = frozenset({"source", "selector"})
# It writes to this process's output whatever a caller sends.
_KNOWN: Final = frozenset(OPERATORS) - {"log"} | frozenset(
    {"if", "?:", "and", "or", "map", "filter", "reduce", "all", "none", "some"}
)

type Document = dict[str, Any]


def write(flags: Iterable[Flag | FlagState], *, revision: int = 0) -> str:
    """The whole file, as any flagd evaluates it."""
    document = compiling.flag_set(flags, revision=revision)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def parse(text: str) -> Document:
    """The document, each `$ref` in the place of its evaluator. Raises Refused, which names the
    flag, the field and the value.
    """
    if len(text) > LARGEST:
        raise Refused("file", f"{len(text)} characters", f"one of at most {LARGEST}")
    return checked(_decoded(text))


def checked(document: Mapping[str, Any]) -> Document:
    """As `parse`, of what was decoded already."""
    evaluators = document.get("$evaluators", {})
    if not isinstance(evaluators, dict):
        raise Refused("$evaluators", _shown(evaluators), "an object of rules by name")
    flags = document.get("flags")
    if not isinstance(flags, dict):
        raise Refused("flags", _shown(flags), "an object of flags by key")
    _scalars("metadata", document.get("metadata", {}))
    return {
        "metadata": document.get("metadata", {}),
        "flags": {key: _flag(f"flags.{key}", flag, evaluators) for key, flag in flags.items()},
    }


def _decoded(text: str) -> Document:
    try:
        document = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError as exc:
        raise Refused("file", "JSON", f"nested less than {_DEEPEST} deep") from exc
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise Refused("file", where, f"JSON there: {exc.msg}") from exc
    if not isinstance(document, dict):
        raise Refused("file", _shown(document), 'an object with "flags"')
    return document


def _no_number(name: str) -> float:
    raise Refused("file", name, "a number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> Document:
    """Of two flags of one name nobody knows which is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused("file", twice, "a name that an object has once")
    return found


def _flag(where: str, flag: object, evaluators: Mapping[str, Any]) -> Document:
    if not isinstance(flag, dict):
        raise Refused(where, _shown(flag), "an object")
    for name in flag.keys() - _PASSED_OVER:
        if name not in _FIELDS:
            raise Refused(f"{where}.{name}", _shown(flag[name]), f"one of {', '.join(_FIELDS)}")
    if flag.get("state") not in ("ENABLED", "DISABLED"):
        raise Refused(f"{where}.state", _shown(flag.get("state")), "ENABLED or DISABLED")
    variants = flag.get("variants")
    if not isinstance(variants, dict) or not variants:
        raise Refused(f"{where}.variants", _shown(variants), "an object of at least one variant")
    default = _named(flag.get("defaultVariant"))
    if default not in variants:
        expected = f"one of {', '.join(variants)}: what holds where targeting names none"
        raise Refused(f"{where}.defaultVariant", _shown(default), expected)
    _scalars(f"{where}.metadata", flag.get("metadata", {}))
    kept = {name: flag[name] for name in _FIELDS if name in flag} | {"defaultVariant": default}
    if rule := flag.get("targeting"):
        kept["targeting"] = judged_rule(f"{where}.targeting", rule, evaluators)
    return kept


def judged_rule(where: str, rule: object, evaluators: Mapping[str, Any]) -> Document:
    """With each `$ref` in its place. Raises Refused where it is none that is evaluated here."""
    if not isinstance(rule, dict):
        raise Refused(where, _shown(rule), "an object: a rule of JSON logic")
    resolved: Document = _resolved(where, rule, evaluators, 0)
    return resolved


def _resolved(where: str, rule: Any, evaluators: Mapping[str, Any], depth: int) -> Any:
    """`rule` with what it refers to, its operators all known; an evaluator that refers to itself
    is found out by its depth.
    """
    if depth > _DEEPEST:
        raise Refused(where, "a rule", f"nested less than {_DEEPEST} deep")
    if isinstance(rule, list):
        return [_resolved(where, each, evaluators, depth + 1) for each in rule]
    if not isinstance(rule, dict) or len(rule) != 1:
        return rule  # JSON logic takes an object of several names for data
    ((name, operands),) = rule.items()
    if name == "$ref":
        if operands not in evaluators:
            raise Refused(where, _shown(operands), "the name of one of $evaluators")
        return _resolved(where, evaluators[operands], evaluators, depth + 1)
    if name not in _KNOWN:
        raise Refused(where, name, "an operator that is evaluated here")
    return {name: _resolved(where, operands, evaluators, depth + 1)}


def _named(variant: object) -> object:
    """A variant `true` may be named by the boolean, as far as flagd minds."""
    return str(variant).lower() if isinstance(variant, bool) else variant


def _scalars(where: str, metadata: object) -> None:
    if not isinstance(metadata, dict):
        raise Refused(where, _shown(metadata), "an object")
    for name, value in metadata.items():
        if not name or not isinstance(value, _SCALARS):
            raise Refused(f"{where}.{name}", _shown(value), "a text, a number or a boolean")


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value)[:80]
