"""Nodes behind TLS: the certificate is checked against the name in the URL."""

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rpc.scripted import client_of, echo
from validation.rpc import NodeUnreachable, NodeUrl

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl makes the certificate (apt install openssl)"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for `localhost`, with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.fixture
async def port(certificate: Path) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        call = json.loads(await reader.readexactly(length))
        body = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "secret"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_certificate_of_a_listed_authority_is_accepted(
    port: int, certificate: Path
) -> None:
    node = NodeUrl.parse(f"https://localhost:{port}/")
    async with client_of(node, ca_file=certificate, max_attempts=1) as client:
        assert (await client.fetch([echo("x")])).values == ("secret",)


async def test_an_unknown_authority_is_refused(port: int) -> None:
    async with client_of(NodeUrl.parse(f"https://localhost:{port}/"), max_attempts=1) as client:
        with pytest.raises(NodeUnreachable, match="certificate refused"):
            await client.fetch([echo("x")])


async def test_a_certificate_for_another_name_is_refused(port: int, certificate: Path) -> None:
    node = NodeUrl.parse(f"https://127.0.0.1:{port}/")
    async with client_of(node, ca_file=certificate, max_attempts=1) as client:
        with pytest.raises(NodeUnreachable, match="certificate refused"):
            await client.fetch([echo("x")])


async def test_plain_http_behind_a_tls_url_says_so() -> None:
    async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    node = NodeUrl.parse(f"https://localhost:{server.sockets[0].getsockname()[1]}/")
    async with client_of(node, max_attempts=1) as client:
        with pytest.raises(NodeUnreachable, match="no TLS"):
            await client.fetch([echo("x")])
    server.close()
