"""`manage.py devnode`: one line when ready, one line when refused, a clean end."""

import io
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.devnode.asking import Over, call
from validation.devnode import archive
from validation.devnode.lies import LIES

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "manage.py"), "devnode"]


def refused(*options: str) -> str:
    """What a person is told; in this process, since starting Django takes seconds."""
    with pytest.raises(CommandError) as caught:
        call_command("devnode", *options)
    assert caught.value.returncode == 2 or "Error:" in str(caught.value)
    return str(caught.value)


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_answers_and_ends_cleanly(end: signal.Signals) -> None:
    with running("--latency-ms", "1", "--lie", "tx-value") as (process, line):
        address = line.split()[2].rstrip(":")
        assert line == (
            f"devnode at {address}: chain 31337, 321 blocks, 13240 transactions; it lies: tx-value"
        )
        node = Over(address)
        assert node.post(call("eth_chainId")).json["result"] == "0x7a69"
        settings = node.post({}, "/_control").json["settings"]
        assert (settings["latency_ms"], settings["lie"]) == (1, "tx-value")
        process.send_signal(end)  # the kept connection is still open
        out, err = process.communicate(timeout=20)
        node.close()
    assert (out, err) == ("", "")
    assert process.returncode in (0, 130, 143, -end)


def test_requests_that_hang_do_not_hold_up_the_end() -> None:
    with running("--timeout-rate", "1") as (process, line):
        parts = line.split()[2].rstrip(":").removeprefix("http://").split(":")
        with socket.create_connection((parts[0], int(parts[1])), timeout=10) as client:
            body = json.dumps(call("eth_chainId")).encode()
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            client.sendall(body)
            process.terminate()
            _, err = process.communicate(timeout=20)
    assert "Traceback" not in err


def test_a_busy_port_is_refused_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wanted = f"Port {port} of 127.0.0.1 is taken: choose another with --port."
        assert refused("--port", str(port)) == wanted
        done = subprocess.run(
            [*COMMAND, "--port", str(port)], check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2
    assert (done.stdout, done.stderr) == ("", f"CommandError: {wanted}\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--error-rate", "1.5"], "--error-rate must be a share from 0 to 1, not 1.5."),
        (["--timeout-rate", "nan"], "--timeout-rate must be a share from 0 to 1, not nan."),
        (["--lie", "white"], "--lie must be one of the lies that `devnode --list-lies` names"),
        (["--port", "70000"], "--port must be from 0 to 65535, not 70000."),
        (["--chain", "/nowhere/chain.br"], "/nowhere/chain.br: No such file or directory."),
        (["--latency-ms", "soon"], "invalid float value: 'soon'"),
    ],
)
def test_a_bad_option_is_refused_naming_it_and_its_value(options: list[str], says: str) -> None:
    assert says in refused(*options)


def test_an_address_of_another_machine_is_refused() -> None:
    assert "192.0.2.1" in refused("--host", "192.0.2.1", "--port", "0")


def test_lies_are_listed_a_line_each() -> None:
    out = io.StringIO()
    call_command("devnode", "--list-lies", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == list(LIES)
    assert all("; caught by " in line for line in lines)


def test_another_chain_is_served(tmp_path: Path) -> None:
    packed = archive.read(archive.PACKAGED)
    few = archive.Archive(about=packed.about, blocks=packed.blocks[:3], accounts=packed.accounts)
    archive.write(few, tmp_path / "few.br")
    with running("--chain", str(tmp_path / "few.br")) as (_, line):
        assert ": chain 31337, 3 blocks" in line
