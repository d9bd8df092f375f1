"""What cannot work is refused at start; without an address nothing is loaded."""

import subprocess
import sys

import pytest

from monitoring import tracing
from tests.services import ROOT

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "refused"),
    [
        ({}, None),
        ({ENDPOINT: "http://127.0.0.1:4318"}, None),
        ({ENDPOINT: "https://otel.example/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, None),
        ({ENDPOINT: "127.0.0.1:4318"}, ENDPOINT),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "grpc://x"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ({ENDPOINT: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
         "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ],
)  # fmt: skip
def test_only_what_can_work_is_taken(environ: dict[str, str], refused: str | None) -> None:
    found = tracing.refusal(environ)
    assert (found[0] if found else None) == refused


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({ENDPOINT: "http://127.0.0.1:4318"}, True),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_it_is_off_unless_it_is_told_where_to(environ: dict[str, str], wanted: bool) -> None:
    assert tracing.is_wanted(environ) is wanted


def test_a_process_that_traces_nothing_loads_nothing_of_it() -> None:
    code = (
        "from monitoring import tracing; import sys; end = tracing.begin('worker'); end();"
        "print(any(name.startswith('opentelemetry.sdk') for name in sys.modules), tracing.is_on())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False False"
