"""OpenFeature's provider over flagd's own evaluator: flags from memory, never from the network."""

import copy
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg
import structlog
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, FlagNotFoundError, OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, Metadata

from console import strict_json
from console.flags import compiling, flagd_file, table
from console.flags.telemetry import SpanHook

NAME: Final = "switchyard"
# A flag around what its forms take.
_DEEPEST: Final = strict_json.DEEPEST + 4

log = structlog.get_logger(__name__)

type Context = EvaluationContext | None


class FlagProvider(AbstractProvider):
    """The flags of one moment, exchanged whole. `refresh` is for one thread at a time; all else is
    for any.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._core = FlagdCore()
        self._types: Mapping[str, str] = {}
        self._document: Mapping[str, Any] = {"flags": {}}
        self._revision = 0
        self.is_timed = False
        """Whether some flag depends on the time, not only on who asks."""
        self._confirmed_at: float | None = None
        self._server: psycopg.Connection[Any] | None = None
        self._version = table.NOTHING
        self._listeners: list[Callable[[], None]] = []
        self._hooks: list[Hook] = [SpanHook()]

    # What is known.

    @property
    def document(self) -> Mapping[str, Any]:
        """In flagd's format; not to be changed."""
        return self._document

    @property
    def revision(self) -> int:
        """Of the last change; 0: nothing is known, or nobody has changed anything yet."""
        return self._revision

    @property
    def age_s(self) -> float | None:
        """Since Postgres last said that this is what holds; None: it has not in this process."""
        confirmed_at = self._confirmed_at
        return None if confirmed_at is None else self._clock() - confirmed_at

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls it after each change, in the thread that brought it; it must not block or raise."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.remove(listener)

    def set_document(
        self, document: Mapping[str, Any], revision: int, *, anew: bool = False
    ) -> bool:
        """Replaces all flags; False where newer ones are known. `anew`: whatever is known, because
        another database counts in numbers of its own. Raises OpenFeatureError for what is not
        flagd's format, and nothing has changed then.
        """
        core = FlagdCore()
        core.set_flags(copy.deepcopy(dict(document)))  # it keeps, and changes, what it is given
        types = {key: _type_of(flag["variants"]) for key, flag in document["flags"].items()}
        with self._lock:
            if revision < self._revision and not anew:
                return False
            self._core, self._types = core, types
            self._document, self._revision = document, revision
            # As flagd names what it tells by itself: the time, or the flag's own key.
            self.is_timed = "$flagd" in repr(document)
        for listener in tuple(self._listeners):
            listener()
        self.emit_provider_configuration_changed(ProviderEventDetails())
        return True

    def refresh(self, connection: psycopg.Connection[Any]) -> bool:
        """Reads what is there where it is not what is known; True where it was something new.

        A connection that was not read from before is read whole: it may lead to another server.
        Raises psycopg's errors; what was known holds then.
        """
        known = self._version if connection is self._server else table.NOTHING
        found = table.read(connection, known)
        is_new = False
        if found is not None:
            version, flags = found
            document = _readable(compiling.flag_set(flags, revision=version.revision))
            is_new = document != self._document
            if is_new:
                self.set_document(document, version.revision, anew=True)
            self._server, self._version = connection, version
        self._confirmed_at = self._clock()
        return is_new

    # What it answers.

    def evaluate(self, key: str, context: Context = None) -> FlagResolutionDetails[Any]:
        """Of any type; what is wrong is in `error_code`. A flag that is off has no value."""
        try:
            return self._resolve(self._types.get(key, "object"), key, None, context)
        except OpenFeatureError as exc:
            code, message = exc.error_code or ErrorCode.GENERAL, exc.error_message
        except Exception as exc:  # noqa: BLE001 - of targeting that somebody brought, on any context
            code, message = ErrorCode.PARSE_ERROR, f"{type(exc).__name__} in the targeting of {key}"
        return FlagResolutionDetails(
            None, error_code=code, error_message=message, reason=Reason.ERROR
        )

    def _resolve(
        self, kind: str, key: str, default: Any, context: Context
    ) -> FlagResolutionDetails[Any]:
        core = self._core
        if key not in self._types:
            raise FlagNotFoundError(f"There is no flag {key!r}.")
        resolve = getattr(core, f"resolve_{kind}_value")
        found: FlagResolutionDetails[Any] = resolve(key, default, context)
        return found

    def get_metadata(self) -> Metadata:
        return Metadata(name=NAME)

    def get_provider_hooks(self) -> list[Hook]:
        return self._hooks

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: Context = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve("boolean", flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: Context = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve("string", flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: Context = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve("integer", flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: Context = None
    ) -> FlagResolutionDetails[float]:
        return self._resolve("float", flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: Context = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._resolve("object", flag_key, default_value, evaluation_context)


def _readable(document: dict[str, Any]) -> dict[str, Any]:
    """Without the flags that flagd's evaluator refuses: one keeps nobody from the others."""
    flags = {key: flag for key, flag in document["flags"].items() if _is_readable(key, flag)}
    return {**document, "flags": flags}


def _is_readable(key: str, flag: dict[str, Any]) -> bool:
    try:
        # Before anything goes down into it.
        if strict_json.is_deep(flag, _DEEPEST):
            raise ValueError(f"nested more than {_DEEPEST} deep")  # noqa: TRY301 - told as the others
        if rule := flag.get("targeting"):
            flagd_file.judged_rule("targeting", rule, {})
        FlagdCore().set_flags({"flags": {key: copy.deepcopy(flag)}})
    except Exception as exc:  # noqa: BLE001 - of whatever a row was made to hold, past all forms
        reason = str(exc) or "not of flagd's format"
        log.error("flags.unreadable", flag=key, error=reason, do="correct its row")  # noqa: TRY400 - of its text
        return False
    return True


def _type_of(variants: Mapping[str, Any]) -> str:
    """The kind of question that all of a flag's variants answer."""
    kinds = {_KINDS.get(type(value), "object") for value in variants.values()}
    if kinds == {"integer", "float"}:
        return "float"
    return kinds.pop() if len(kinds) == 1 else "object"


_KINDS = {bool: "boolean", str: "string", int: "integer", float: "float"}
