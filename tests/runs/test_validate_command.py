"""`manage.py validate` as a person or a script meets it: output, exit codes, refusals."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from console.embedded.cluster import Cluster
from tests.fleet import Fleet, free_port, wait_until
from tests.services import ROOT
from validation import intake
from validation.devnode.chain import Chain

type Validate = Callable[..., "Done"]

KEYS = {
    *("subject", "verdict", "level", "reason", "checks", "node", "ms"),
    *("source", "age_s", "block", "agreement"),
}
CHECK_KEYS = {"name", "status", "detail", "computed", "claimed"}
# What may differ between two ways to the same verdict: a cache may have known, and the fleet names
# a block only while it is not final.
_OF_ITS_WAY = {"ms", "source", "age_s", "block"}


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain.load()


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "manage.py", "devnode", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _answers(port), within_s=20, what="the demo node")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def validate(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> Callable[..., Done]:
    """Runs the command in this process, no node configured; two tests start real ones."""
    settings.NODES = ()

    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            call_command("validate", *arguments)
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(returncode=ended.value.code, stdout=captured.out, stderr=captured.err)

    return run


def in_a_process(*arguments: str, environment: dict[str, str]) -> Done:
    done = subprocess.run(
        [sys.executable, "manage.py", "validate", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return Done(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)


def without_servers() -> dict[str, str]:
    servers = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "NODE_URLS", "SECRET_KEY"}
    return {name: value for name, value in os.environ.items() if name not in servers}


def test_local_needs_neither_database_nor_broker(
    validate: Validate, node: str, chain: Chain
) -> None:
    transaction = f"tx:{chain.transactions[5]}"
    done = validate("--local", "--node", node, "--json", transaction, "block:2-4", "head")
    assert done.returncode == 0, done.stderr
    found = {row["subject"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(found) == {transaction, "block:2", "block:3", "block:4", "head"}
    for row in found.values():
        assert set(row) == KEYS
        assert row["verdict"] == "valid"
        assert all(set(check) == CHECK_KEYS for check in row["checks"])
    assert found[transaction]["level"] == 3
    assert "5 valid" in done.stderr


def test_what_is_not_valid_is_told_by_the_exit_code(validate: Validate, node: str) -> None:
    done = validate("--local", "--node", node, "tx:0x" + "ab" * 32)
    assert done.returncode == 1
    assert "not_found" in done.stdout


def test_a_level_that_is_not_built_is_unverifiable(validate: Validate, node: str) -> None:
    done = validate("--local", "--node", node, "--level", "5", "--json", "head")
    assert done.returncode == 1
    row = json.loads(done.stdout)
    assert (row["verdict"], row["level"], row["reason"]) == (
        "unverifiable",
        3,
        "no_checkpoint",
    )


def test_subjects_come_from_a_file_or_standard_input(
    validate: Validate, node: str, tmp_path: Path
) -> None:
    listed = tmp_path / "blocks.csv"
    listed.write_text("subject\nblock:2\nblock:3\n")
    done = validate("--local", "--node", node, "--json", "--file", str(listed))
    assert (done.returncode, done.stdout.count("\n")) == (0, 2)
    done = validate(
        "--local", "--node", node, "--json", "--file", "-", stdin="block:2\n# no\nhead\n"
    )
    assert (done.returncode, done.stdout.count("\n")) == (0, 2)


def test_malformed_lines_stop_everything_unless_accepted(validate: Validate, node: str) -> None:
    text = "block:2\nblock:\nnonsense\n"
    done = validate("--local", "--node", node, "--file", "-", stdin=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 2" in done.stderr
    assert "'nonsense'" in done.stderr
    assert "2 malformed, nothing started" in done.stderr
    done = validate("--local", "--node", node, "--file", "-", "--accept-valid", stdin=text)
    assert done.returncode == 0
    assert "1 valid" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--local", "block:1"), "no node to ask"),
        (("--local", "--node", "ftp://h/", "block:1"), "--node"),
        (("--local", "--node", "http://h/", "--level", "9", "head"), "--level 9"),
        (("--local", "--node", "http://h/", "--agree", "1", "head"), "2 nodes at least"),
        (("--local", "--node", "http://h/", "--agree", "2", "head"), "1 node is named"),
        (("--local", "--node", "http://h/"), "nothing to validate"),
        (("--local", "--node", "http://h/", "--file", "/no/such/file"), "/no/such/file"),
    ],
)
def test_what_cannot_run_says_why_in_a_line(
    validate: Validate, arguments: tuple[str, ...], said: str
) -> None:
    done = validate(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database_it_says_what_to_do() -> None:
    done = in_a_process("block:1", environment=without_servers())
    assert (done.returncode, done.stdout) == (2, "")
    assert "no database: run `make up` first" in done.stderr


def test_a_node_that_is_not_there_is_an_error_not_a_verdict(validate: Validate) -> None:
    done = validate("--local", "--node", f"http://127.0.0.1:{free_port()}/", "--json", "block:1")
    row = json.loads(done.stdout)
    assert (done.returncode, row["verdict"], row["level"]) == (1, "error", 0)


def test_a_key_in_a_nodes_url_is_never_printed(validate: Validate, node: str) -> None:
    keyed = node + "v3/SECRETKEY?token=SECRETTOKEN"
    keyed = keyed.replace("http://", "http://user:SECRETPASS@")
    done = validate("--local", "--node", keyed, "--json", "block:1")
    assert "SECRET" not in done.stdout + done.stderr


def test_an_interrupt_ends_with_130(chain: Chain, node: str, tmp_path: Path) -> None:
    listed = tmp_path / "all.txt"
    listed.write_text("".join(f"tx:{value}\n" for value in chain.transactions))
    command = [sys.executable, "manage.py", "validate", "--local", "--node", node, "--json"]
    process = subprocess.Popen(
        [*command, "--file", str(listed)],
        cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline()  # it is under way
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_a_reader_that_leaves_ends_it_without_a_word(node: str) -> None:
    command = [sys.executable, "manage.py", "validate", "--local", "--node", node]
    process = subprocess.Popen(
        [*command, "block:1-300"],
        cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=20) == 128 + signal.SIGPIPE


def test_local_has_the_bound_of_a_run(
    validate: Validate, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_ITEMS", 5)
    done = validate("--local", "--node", node, "block:1-6")
    assert (done.returncode, done.stdout) == (2, "")
    assert "at most 5 items" in done.stderr


def test_what_was_written_cannot_speak_to_the_terminal(validate: Validate, node: str) -> None:
    done = validate("--local", "--node", node, "--file", "-", stdin="\x1b[31mred\x1b]0;t\x07\n")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_through_the_fleet_the_same_objects_come_back(
    validate: Validate, durable_cluster: Cluster
) -> None:
    with Fleet(cluster=durable_cluster) as fleet:
        asked = ("--json", "block:2-51", "head")
        url = fleet.environment["NODE_URLS"]
        local = in_a_process("--local", "--node", url, *asked, environment=without_servers())
        through = in_a_process(*asked, environment=fleet.environment)
    assert through.returncode == 0, through.stderr

    def told(row: dict[str, Any]) -> dict[str, object]:
        """A run of so few explains also what passed."""
        return {"checks": [(c["name"], c["status"], c["detail"]) for c in row["checks"]]}

    def comparable(text: str) -> list[dict[str, object]]:
        rows = [json.loads(line) for line in text.splitlines()]
        return sorted(
            ({key: row[key] for key in KEYS - _OF_ITS_WAY} | told(row) for row in rows),
            key=lambda row: str(row["subject"]),
        )

    assert comparable(through.stdout) == comparable(local.stdout)
