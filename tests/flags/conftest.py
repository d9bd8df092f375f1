"""Flags served in this process, as flagd would read them, and forgotten after each test."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

type Serve = Callable[[dict[str, Any]], None]


class FlagdFile(AbstractProvider):
    """Evaluates one flagd document and nothing else."""

    def __init__(self, flags: dict[str, Any]) -> None:
        super().__init__()
        self._core = FlagdCore()
        self._core.set_flags({"flags": flags})

    def get_metadata(self) -> Metadata:
        return Metadata("flagd file")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        return self._core.resolve_boolean_value(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._core.resolve_string_value(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._core.resolve_integer_value(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return self._core.resolve_float_value(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._core.resolve_object_value(flag_key, default_value, evaluation_context)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Gives the engine's questions these flags, in flagd's format, by key."""

    def set_flags(flags: dict[str, Any]) -> None:
        api.set_provider(FlagdFile(flags), "validation")

    yield set_flags
    api.clear_providers()
