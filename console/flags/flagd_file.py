"""A file in flagd's format: what is exported, and what of a file that is brought may be believed.

What a flag here has and flagd's format has not goes into its metadata, so that an export comes back
as it was. What the fields mean is judged by whoever imports them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS

from console import strict_json
from console.controls.errors import Refused
from console.flags import compiling
from console.flags.models import Flag
from console.flags.states import FlagState

# Of a file, by whatever way it comes; a thousand flags as they mostly are have room.
LARGEST: Final = 4 * 1024 * 1024
_DEEPEST: Final = strict_json.DEEPEST
# Of a rule, with what it refers to in its place.
_MOST_PARTS: Final = 5_000
_SCALARS: Final = (str, int, float, bool)
_FIELDS: Final = ("state", "variants", "defaultVariant", "targeting", "metadata")
# Of flagd's own bookkeeping; its evaluator passes over them too.
_PASSED_OVER: Final = frozenset({"source", "selector"})
# A rule is evaluated where nothing else goes on meanwhile, so each part of it is done once: what
# goes through lists (map, filter, reduce, all, none, some) may multiply, one in another. And `log`
# writes to this process's output whatever a caller sends.
_KNOWN: Final = frozenset(OPERATORS) - {"log"} | frozenset({"if", "?:", "and", "or"})

type Document = dict[str, Any]


def write(flags: Iterable[Flag | FlagState], *, revision: int = 0) -> str:
    """The whole file, as any flagd evaluates it."""
    document = compiling.flag_set(flags, revision=revision)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def parse(text: str) -> Document:
    """The document, each `$ref` in the place of its evaluator. Raises Refused, which names the
    flag, the field and the value.
    """
    if (size := len(text.encode(errors="replace"))) > LARGEST:
        raise Refused("file", f"{size} bytes", f"one of at most {LARGEST} bytes")
    return checked(_decoded(text))


def text_of(raw: bytes) -> str:
    """Of a file. Raises Refused where it is no text."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Refused("file", f"byte {exc.start}", "text in UTF-8 there") from exc


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
        document = strict_json.decoded(text)
    except strict_json.NotStrict as exc:
        raise Refused("file", exc.value, f"what a file may hold: {exc}") from exc
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise Refused("file", where, f"JSON there: {exc.msg}") from exc
    if not isinstance(document, dict):
        raise Refused("file", _shown(document), 'an object with "flags"')
    return document


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
    if not isinstance(default, str) or default not in variants:
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
    resolved: Document = _Resolving(where=where, evaluators=evaluators).of(rule)
    return resolved


@dataclass(slots=True, kw_only=True)
class _Resolving:
    """A rule with what it refers to, its operators all known. An evaluator that refers to itself
    is found out by its depth, and those that multiply by the number of parts.
    """

    where: str
    evaluators: Mapping[str, Any]
    parts: int = 0

    def of(self, rule: Any, depth: int = 0) -> Any:
        self.parts += 1
        if depth > _DEEPEST:
            raise Refused(self.where, "a rule", f"nested less than {_DEEPEST} deep")
        if self.parts > _MOST_PARTS:
            raise Refused(self.where, "a rule", f"of at most {_MOST_PARTS} parts")
        if isinstance(rule, list):
            return [self.of(each, depth + 1) for each in rule]
        if not isinstance(rule, dict):
            return rule
        if len(rule) != 1:  # JSON logic takes an object of several names for data
            return self._data(rule, depth)
        ((name, operands),) = rule.items()
        if name == "$ref":
            if not isinstance(operands, str) or operands not in self.evaluators:
                raise Refused(self.where, _shown(operands), "the name of one of $evaluators")
            return self.of(self.evaluators[operands], depth + 1)
        if name not in _KNOWN:
            raise Refused(self.where, name, "an operator that is evaluated here")
        return {name: self.of(operands, depth + 1)}

    def _data(self, rule: dict[str, Any], depth: int) -> dict[str, Any]:
        if strict_json.is_deep(rule, _DEEPEST - depth):
            raise Refused(self.where, "a rule", f"nested less than {_DEEPEST} deep")
        return rule


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
