"""A node's address must be public, or allowed by name: nothing else is ever connected to."""

import asyncio
import socket
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rpc.scripted import ScriptedNode, client_of, echo
from validation.rpc import AddressPolicy, AddressRefused, NodeUrl, RpcError

PUBLIC = AddressPolicy()

REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254",
    "127.0.0.1", "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:a00:1::", "::ffff:0:a00:1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip

ALLOWED = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address: str) -> None:
    assert PUBLIC.refusal(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_allowed(address: str) -> None:
    assert PUBLIC.refusal(address) == ""


def test_a_listed_network_is_allowed_and_its_neighbour_is_not() -> None:
    policy = AddressPolicy(private_networks=(ip_network("10.1.0.0/16"), ip_network("fd00::/32")))
    assert policy.refusal("10.1.2.3") == ""
    assert policy.refusal("::ffff:10.1.2.3") == ""
    assert policy.refusal("fd00::1") == ""
    assert "NODE_PRIVATE_NETWORKS" in policy.refusal("10.2.0.1")
    assert policy.refusal("127.0.0.1")


def test_loopback_is_a_switch_of_its_own() -> None:
    policy = AddressPolicy(allow_loopback=True)
    assert policy.refusal("127.0.0.1") == policy.refusal("::1") == ""
    assert policy.refusal("0.0.0.0")
    assert policy.refusal("10.0.0.1")


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fc00::/7"))
@settings(deadline=None)
def test_no_private_address_passes(address: Any) -> None:
    assert PUBLIC.refusal(str(address))


def spellings() -> list[str]:
    """URLs that lead to places a node must not be, spelt in every way that resolvers take."""
    hosts = [
        "localhost", "LOCALHOST", "localhost.", "2130706433", "0x7f000001", "0177.0.0.1", "127.1",
        "127.0.1", "0", "0x0", "017700000001", "0x7f.1", "10.1", "0xa.1", "3232235777",
    ]  # fmt: skip
    hosts += [f"[{a.partition('%')[0]}]" if ":" in a else a for a in REFUSED]
    prefixes = ["http://", "https://", "http://1.1.1.1@", "http://8.8.8.8:53@"]
    return [f"{prefix}{host}/" for prefix in prefixes for host in hosts]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a socket is asked to connect to."""
    seen: list[Any] = []

    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> None:
        seen.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
    return seen


async def test_two_hundred_urls_and_no_connection(connected: list[Any]) -> None:
    urls = spellings()
    assert len(urls) >= 200
    for url in urls:
        try:
            node = NodeUrl.parse(url)
        except ValueError:
            continue  # refused as it is written already
        async with client_of(node, allow_loopback=False, max_attempts=1) as client:
            with pytest.raises(RpcError) as caught:
                await client.fetch([echo("x")])
        # A spelling that this resolver does not take leads nowhere, which is as good.
        assert caught.value.reason in {"address_refused", "node_unreachable"}
        assert not caught.value.trips_breaker or "does not resolve" in str(caught.value)
    assert connected == []


async def test_the_seam_sees_what_is_connected_to(connected: list[Any]) -> None:
    """The test above could not fail if its seam were blind."""
    async with client_of(NodeUrl.parse("http://127.0.0.1:9/"), max_attempts=1) as client:
        with pytest.raises(RpcError, match="connection"):
            await client.fetch([echo("x")])
    assert connected == [("127.0.0.1", 9)]


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Makes names resolve to each of `answers` in turn; returns the names asked for."""
    asked: list[str] = []
    turns = iter(answers)

    async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in next(turns)]

    original = asyncio.SelectorEventLoop.getaddrinfo

    async def only_names(self: Any, host: str, port: int, **kwargs: Any) -> Any:
        if host.endswith(".example"):
            return await getaddrinfo(self, host, port, **kwargs)
        return await original(self, host, port, **kwargs)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "getaddrinfo", only_names)
    return asked


async def test_one_private_address_among_public_ones_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    resolving(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    async with client_of(NodeUrl.parse("http://n.example/")) as client:
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.1") as caught:
            await client.fetch([echo("x")])
    assert connected == []
    assert not caught.value.retryable


async def test_the_checked_address_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch, node: ScriptedNode
) -> None:
    """A name that would resolve to another address the second time is not asked a second time."""
    asked = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    async with client_of(NodeUrl.parse(f"http://n.example:{node.port}/")) as client:
        assert (await client.fetch([echo("x")])).values == ("x",)
        assert asked == ["n.example"]
        assert node.asked[0].headers["host"] == f"n.example:{node.port}"
        await node.stop()
        await node.start()
        with pytest.raises(AddressRefused):  # and a reconnect checks anew
            await client.fetch([echo("y")])
