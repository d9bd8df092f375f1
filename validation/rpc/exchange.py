"""One batch with one node: sent, its HTTP status judged, its chain known, its answers bound."""

import asyncio
import email.utils
import secrets
import time
from collections.abc import Sequence

from validation.rpc.config import RpcConfig
from validation.rpc.connection import Response
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import (
    BadAnswer,
    BatchRefused,
    HttpStatus,
    NodeTimeout,
    RateLimited,
    Redirected,
    RpcError,
    WrongChain,
)
from validation.rpc.metrics import METRICS
from validation.rpc.seams import Gate, Posts
from validation.rpc.wire import Answer, BodyLimits, decode_batch, encode_batch

_ASK_CHAIN = b'"method":"eth_chainId","params":[]}'
_CHAIN = {"eth_chainId": 1}
_ID_BITS = 48
_MAX_RETRY_AFTER_S = 3600.0


class Exchange:
    """Raises RpcError where the batch as a whole failed; errors of single calls are answers."""

    def __init__(self, config: RpcConfig, transport: Posts) -> None:
        self._config = config
        self._transport = transport
        self._limits = BodyLimits(max_containers=config.max_containers, max_depth=config.max_depth)

    def must_ask_chain(self, node: NodeUrl) -> bool:
        """True when the next batch has to carry eth_chainId: its connection is to be a new one."""
        return self._config.chain_id is not None and not self._transport.has_vouched_idle(node)

    def forget(self, node: NodeUrl) -> None:
        """Closes its connections: it is asked no more."""
        self._transport.forget(node)

    async def send(
        self,
        node: NodeUrl,
        fragments: Sequence[bytes],
        *,
        gate: Gate,
        asks_chain: bool = False,
    ) -> list[Answer]:
        """The answers to `fragments`, in their order, within the time of one call."""
        try:
            async with asyncio.timeout(self._config.call_timeout_s):
                return await self._send(node, fragments, asks_chain=asks_chain, gate=gate)
        except TimeoutError:
            raise NodeTimeout(
                f"no whole answer within {self._config.call_timeout_s:g} s", node=node.label
            ) from None

    async def ask_chain(self, node: NodeUrl, *, gate: Gate) -> None:
        """Returns where the node answers, with the right chain if one is configured."""
        answers, http = await self._post(node, [_ASK_CHAIN], gate)
        if self._config.chain_id is not None:
            self._judge_chain(node, answers[0], http)
        elif isinstance(answers[0], RpcError):
            raise answers[0]

    async def _send(
        self,
        node: NodeUrl,
        fragments: Sequence[bytes],
        *,
        asks_chain: bool,
        gate: Gate,
    ) -> list[Answer]:
        asked = [_ASK_CHAIN, *fragments] if asks_chain else fragments
        started = time.monotonic()
        answers, http = await self._post(node, asked, gate)
        if asks_chain:
            _count_chain(answers[0], started)
            self._judge_chain(node, answers.pop(0), http)
        elif self._config.chain_id is not None and not http.connection.is_vouched:
            # The connection that was to carry this died and another was made: who is there now?
            if not http.connection.is_open:  # nor may that be asked on it: all of it again
                return await self._send(node, fragments, asks_chain=True, gate=gate)
            chain, http = await self._post(node, [_ASK_CHAIN], gate)
            _count_chain(chain[0], started)
            self._judge_chain(node, chain[0], http)
        return answers

    async def _post(
        self, node: NodeUrl, fragments: Sequence[bytes], gate: Gate
    ) -> tuple[list[Answer], Response]:
        base = secrets.randbits(_ID_BITS)
        http = await self._transport.post(node, encode_batch(fragments, base), gate)
        if http.status != 200:  # noqa: PLR2004 - the only status that bears answers
            raise _error_of(http, node, len(fragments))
        return decode_batch(
            http.body, base=base, count=len(fragments), limits=self._limits, node=node
        ), http

    def _judge_chain(self, node: NodeUrl, answer: Answer, http: Response) -> None:
        expected = self._config.chain_id
        if isinstance(answer, RpcError):
            self._transport.drop(node)
            raise BadAnswer(f"does not tell its chain: {answer.message}", node=node.label)
        found = chain_id_of(answer)
        if found is None:
            self._transport.drop(node)
            raise BadAnswer("eth_chainId is not a number in hex", node=node.label)
        if found != expected:
            self._transport.drop(node)
            raise WrongChain(f"serves chain {found}, not {expected}", node=node.label)
        http.connection.is_vouched = True


def chain_id_of(raw: bytes) -> int | None:
    """The number in the raw JSON of eth_chainId's result."""
    text = raw.strip(b'"')
    if not text.startswith(b"0x") or len(text) > 34 or len(text) + 2 != len(raw):  # noqa: PLR2004 - 128 bit
        return None
    try:
        return int(text, 16)
    except ValueError:
        return None


def _error_of(http: Response, node: NodeUrl, calls: int) -> RpcError:
    status = http.status
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return RateLimited(
            "the node limits its calls (HTTP 429)",
            node=node.label,
            retry_after_s=_retry_after_s(http),
        )
    if status == 413 and calls > 1:  # noqa: PLR2004 - Content Too Large
        return BatchRefused(
            f"the node refused a batch of {calls} calls as too large (HTTP 413)", node=node.label
        )
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirections
        return Redirected(
            f"redirects elsewhere (HTTP {status}), which is not followed; configure the final URL",
            status=status,
            node=node.label,
        )
    return HttpStatus(
        f"answered HTTP {status}{_HINTS.get(status, '')}",
        status=status,
        node=node.label,
        retry_after_s=_retry_after_s(http),
    )


_HINTS = {
    401: ": the credentials in its URL are refused or missing",
    403: ": the credentials in its URL are refused or missing",
    404: ": nothing answers JSON-RPC at the path of its URL",
    405: ": nothing answers JSON-RPC at the path of its URL",
}


def _retry_after_s(http: Response) -> float | None:
    """Seconds, or an HTTP date, bounded; nonsense counts as absent."""
    text = http.header(b"retry-after").decode("latin-1").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MAX_RETRY_AFTER_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(0.0, when.timestamp() - time.time()), _MAX_RETRY_AFTER_S)


def _count_chain(answer: Answer, started: float) -> None:
    outcome = answer.reason if isinstance(answer, RpcError) else "ok"
    METRICS.back(_CHAIN, outcome, time.monotonic() - started)
