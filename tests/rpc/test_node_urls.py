"""Node URLs: what is accepted, what is told about the rest, and that no credential shows."""

import asyncio
import copy
import json
import logging
import pickle
import traceback
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rpc.scripted import Asked, Handler, ScriptedNode, echo, never
from validation.rpc import NodeUrl, RpcClient, RpcConfig, RpcError, probe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "http://"),
        ("node.example:8545", "http://"),
        ("ftp://node.example", "http://"),
        ("file:///etc/passwd", "http://"),
        ("ws://node.example", "http://"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("http://node.example:0", "port"),
        ("http://node.example:65536", "port"),
        ("http://node.example:eth", "port"),
        ("http://[::1", "malformed"),
        ("http://node.example/a b", "space"),
        ("http://node.example/\r\nHost: evil", "space or control"),
        ("http://node.example/#part", "fragment"),
        ("http://" + "a" * 3000, "longer"),
        (f"http://{'a' * 60}.{'b' * 60}.{'c' * 20}.example:8545/", "take 155 characters of .* 140"),
        ("http://exa\u2024mple..com/", "neither a valid name"),
        ("http://ex%61mple.com/", "neither a valid name"),
        ("http://a..example/", "neither a valid name"),
        ("http://-x.example/", "neither a valid name"),
        ("http://[v1.x]/", "malformed|neither"),
        ("http://127.1/", "neither a valid name nor an IP address"),
        ("http://2130706433/", "neither a valid name nor an IP address"),
        ("http://0x7f000001/", "neither a valid name nor an IP address"),
        ("http://0177.0.0.1/", "neither a valid name nor an IP address"),
    ],
)
def test_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NodeUrl.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://u:s3cr3t-canary@node.example:99999/",
        "gopher://u:s3cr3t-canary@node.example/s3cr3t-canary",
        "http://node.example/s3cr3t-canary#x",
        "http://[s3cr3t-canary]/",
        "http://u:s3cr3t-canary@/",
    ],
)
def test_a_refusal_does_not_repeat_a_credential(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it must not say is the point
        NodeUrl.parse(text)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("http://node.example", "node.example:80"),
        (" https://node.example/ \n", "node.example:443"),
        ("HTTP://NODE.example:8545", "node.example:8545"),
        ("http://[::1]:8545", "[::1]:8545"),
        ("http://geth_1:8545", "geth_1:8545"),
        ("http://10.0.0.1:8545", "10.0.0.1:8545"),
        ("http://b\u00fccher.example", "xn--bcher-kva.example:80"),
    ],
)
def test_a_plain_url_is_its_host_and_port(text: str, label: str) -> None:
    assert NodeUrl.parse(text).label == label


def test_urls_that_differ_in_their_key_have_labels_that_differ() -> None:
    texts = [
        "https://n.example/",
        "https://n.example/a",
        "https://n.example/b",
        "https://u@n.example/",
    ]
    labels = {NodeUrl.parse(text).label for text in texts}
    assert len(labels) == 4
    assert all(label.startswith("n.example:443") for label in labels)


def test_equal_urls_are_equal_and_are_not_exported() -> None:
    url = NodeUrl.parse("http://u:p@n.example/key")
    assert url == NodeUrl.parse("http://u:p@n.example/key")
    assert url != NodeUrl.parse("http://n.example/key")
    assert copy.deepcopy({"nodes": [url]}) == {"nodes": [url]}
    with pytest.raises(TypeError):
        pickle.dumps(url)


secrets = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x17F, exclude_characters="/?#[]@:&=%+;\\"),
    min_size=3,
    max_size=20,
).map(lambda text: f"cAnArY{text}")


def forms(secret: str) -> set[str]:
    return {secret, quote(secret), quote(secret, safe=""), secret.lower(), repr(secret)[1:-1]}


def shown(secret: str, *texts: str) -> list[str]:
    return [text for text in texts for form in forms(secret) if form in text]


@given(secrets, secrets, secrets, secrets)
@settings(deadline=None)
def test_no_credential_shows_in_any_text_of_a_url(
    user: str, password: str, path: str, query: str
) -> None:
    text = f"https://{quote(user)}:{quote(password)}@n.example/v1/{quote(path)}?k={quote(query)}"
    url = NodeUrl.parse(text)
    config = RpcConfig(nodes=(url,))
    texts = [str(url), repr(url), f"{url}", f"{url!r:>99}", url.label, repr(config), str([url])]
    texts.append(url.scrub(f"{text} {user} {password} {path} {query} {url.authorization}"))
    for secret in (user, password, path, query):
        assert shown(secret, *texts) == []
        assert quote(secret) in url.secret_url


def echoing(kind: str) -> Handler:
    """A node that says back all that it was sent, in one of the places that end in a message."""

    async def handler(asked: Asked) -> None:
        told = f"{asked.target} {asked.headers.get('authorization')}"
        call = asked.calls[0]
        error = {"code": -32000, "message": f"bad key {told}"}
        match kind:
            case "call":
                asked.send_json({"jsonrpc": "2.0", "id": call["id"], "error": error})
            case "batch":
                asked.send_json({"jsonrpc": "2.0", "id": None, "error": error})
            case "status":
                asked.send(told.encode(), status=401, www_authenticate=told)
            case "redirect":
                asked.send(b"", status=301, location=told)
            case "not json":
                asked.send(told.encode())
            case "value":
                asked.send_json({"jsonrpc": "2.0", "id": call["id"], "result": [told]})
            case "header":
                asked.writer.write(f"HTTP/1.1 200 {told}\r\n{told}\r\n\r\n".encode("latin-1"))
            case "reset":
                asked.reset()
            case _:
                await never(asked)

    return handler


KINDS = ["call", "batch", "status", "redirect", "not json", "value", "header", "reset", "never"]


@pytest.mark.parametrize("kind", KINDS)
@given(st.tuples(secrets, secrets, secrets, secrets))
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_credential_leaves_the_client(
    caplog: pytest.LogCaptureFixture, kind: str, canaries: tuple[str, str, str, str]
) -> None:
    """With every logger wide open, httpx's and asyncio's among them."""

    async def scenario() -> list[str]:
        node = await ScriptedNode().start()
        node.default = echoing(kind)
        user, password, path, query = map(quote, canaries)
        url = NodeUrl.parse(f"http://{user}:{password}@127.0.0.1:{node.port}/v1/{path}?k={query}")
        config = RpcConfig(
            nodes=(url,),
            allow_loopback=True,
            max_attempts=1,
            call_timeout_s=0.02 if kind == "never" else 30,
        )
        client = RpcClient(config)
        texts: list[str] = []
        for ask in (client.fetch([echo("x")]), probe(url, config=config)):
            with pytest.raises(RpcError) as caught:
                await ask
            texts += told_by(caught.value)
        texts.append(json.dumps(client.snapshot()))
        await client.aclose()
        await node.stop()
        return texts

    caplog.clear()
    with caplog.at_level(0):
        logging.getLogger("httpx").setLevel(logging.DEBUG)
        texts = asyncio.run(scenario(), debug=True)
    texts += [record.getMessage() + repr(record.args) for record in caplog.records]
    assert any("httpx" in record.name for record in caplog.records) or kind in {
        "header",
        "reset",
        "never",
    }
    for secret in canaries:
        assert shown(secret, *texts) == []


def told_by(error: BaseException) -> list[str]:
    """Everything an error may be shown as, with all that it was caused by."""
    texts = ["".join(traceback.format_exception(error)), pickle.dumps(error).decode("latin-1")]
    link: BaseException | None = error
    while link is not None:
        texts += [str(link), repr(link), repr(vars(link)), repr(link.args)]
        link = link.__cause__ or link.__context__
    return texts
