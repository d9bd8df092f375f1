"""One test of a node: a first question to learn whether anybody is there, then the rest."""

import asyncio
import ipaddress
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from validation.checkpoint import Checkpoint
from validation.nodecheck import findings
from validation.nodecheck.bounded import in_time
from validation.nodecheck.findings import Finding, NodeTest
from validation.rpc import AddressPolicy, Call, NodeUrl, RpcClient, RpcConfig, RpcError
from validation.rpc.answers import Answer, read_lean_block
from validation.rpc.exchange import chain_id_of

LONGEST_S = 5.0
_ZERO = "0x" + "00" * 20
_read_text = msgspec.json.Decoder(str).decode


def examine(
    node: NodeUrl,
    *,
    config: RpcConfig,
    checkpoint: Checkpoint | None,
    within_s: float = LONGEST_S,
) -> NodeTest:
    """Blocks for `within_s` at most. `config` brings address policy and expected chain."""
    started = time.monotonic()
    told = in_time(_Asking(node, config, checkpoint, within_s).all, within_s)
    ms = (time.monotonic() - started) * 1000
    if told is None:
        text = f"It did not answer within {within_s:g} s, its name included."
        told = NodeTest(node=node.label, ms=ms, findings=(findings.failed("answers", text),))
    return msgspec.structs.replace(told, ms=ms)


def address_refusal(node: NodeUrl, policy: AddressPolicy, *, within_s: float = LONGEST_S) -> str:
    """Why this deployment may not ask the node, or "": its name is resolved now, and every address
    that it leads to is judged.
    """
    try:
        addresses = [str(ipaddress.ip_address(node.host))]
    except ValueError:
        found = in_time(lambda: _resolved(node), within_s)
        if found is None:
            return f"the name {node.host} was not resolved within {within_s:g} s"
        if not found:
            return f"the name {node.host} does not resolve"
        addresses = found
    for address in addresses:
        if refusal := policy.refusal(address):
            if address == node.host:
                return f"{address} is {refusal}"
            return f"{node.host} leads to {address}, which is {refusal}"
    return ""


async def _resolved(node: NodeUrl) -> list[str]:
    try:
        found = socket.getaddrinfo(node.host, node.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class _Asking:
    def __init__(
        self, node: NodeUrl, config: RpcConfig, checkpoint: Checkpoint | None, within_s: float
    ) -> None:
        self._node = node
        self._expected = config.chain_id
        self._checkpoint = checkpoint
        self._ends_at = time.monotonic() + within_s
        # Which chain it serves is a finding here, and no reason to hang up.
        self._config = replace(config, nodes=(node,), chain_id=None, max_attempts=1)

    async def all(self) -> NodeTest:
        client = RpcClient(self._config)
        try:
            return await self._with(client)
        finally:
            await client.aclose()

    async def _with(self, client: RpcClient) -> NodeTest:
        chain, ms = await self._timed(client)
        answers = findings.answers(chain, ms)
        if answers.status == "fail":
            return NodeTest(node=self._node.label, ms=ms, findings=(answers,))
        again, latency_ms = await self._timed(client)
        latency = None if isinstance(again, RpcError) else latency_ms
        head, final, trusted, version = await asyncio.gather(
            self._block(client, "latest"),
            self._block(client, "finalized"),
            self._block(client, hex(self._checkpoint.number)) if self._checkpoint else _nothing(),
            self._ask(client, "web3_clientVersion", (), _read_text),
        )
        number = findings.number_of(head)
        return NodeTest(
            node=self._node.label,
            ms=ms,
            chain_id=chain if isinstance(chain, int) else None,
            head=number,
            finalized=findings.number_of(final),
            client_version=findings.words(version, self._node) if isinstance(version, str) else "",
            latency_ms=latency,
            findings=(
                answers,
                findings.chain(chain, self._expected),
                findings.head(head),
                findings.finalized(final, number),
                findings.trusted(trusted, self._checkpoint),
                *await self._serves(client, head),
                findings.version(version, self._node),
                findings.latency(latency),
            ),
        )

    async def _timed(self, client: RpcClient) -> tuple[Any, float]:
        """The smallest question there is, and how long it took."""
        started = time.monotonic()
        told = await self._ask(client, "eth_chainId", (), chain_id_of)
        return told, (time.monotonic() - started) * 1000

    async def _ask(
        self, client: RpcClient, method: str, params: tuple[object, ...], decode: Any
    ) -> Any:
        """The value, or the RpcError instead of it."""
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            return _TooLate(f"{method} was not asked: the time was up")
        try:
            reply = await client.fetch([Call(method, params, decode)], timeout_s=left_s, fresh=True)
        except RpcError as error:
            return error
        return reply.values[0]

    async def _block(self, client: RpcClient, which: str) -> Any:
        return await self._ask(client, "eth_getBlockByNumber", (which, False), read_lean_block)

    async def _serves(self, client: RpcClient, head: Any) -> tuple[Finding, Finding]:
        """What levels 3 and up need, at the head."""
        block = head.value if isinstance(head, Answer) else None
        if block is None:
            why = "Not asked: there is no head to ask it of."
            return findings.skipped("receipts", why), findings.skipped("proofs", why)
        receipts, proof = await asyncio.gather(
            self._ask(client, "eth_getBlockReceipts", (block.hash,), _listed),
            self._ask(client, "eth_getProof", (_ZERO, [], block.number), _keyed),
        )
        return findings.receipts(receipts), findings.proofs(proof)


class _TooLate(RpcError):
    reason = "deadline_exceeded"


async def _nothing() -> None:
    return None


def _listed(raw: bytes) -> int | None:
    """How many there are; None: no list."""
    with suppress(msgspec.DecodeError):
        return len(msgspec.json.decode(raw, type=list[msgspec.Raw]))
    return None


def _keyed(raw: bytes) -> bool:
    """Whether it is an object with a proof."""
    with suppress(msgspec.DecodeError):
        return "accountProof" in msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return False
