"""Many users who ask one page over and over: what they were answered, and how long they waited."""

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

_CONNECT_S = 10.0
_ANSWER_S = 40.0
# Whoever was refused comes again after it; the console asks for a second or two.
_PAUSE_S = 1.0
_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    host: str
    port: int
    path: str
    cookie: str = field(repr=False)

    @property
    def request(self) -> bytes:
        lines = (f"GET {self.path} HTTP/1.1", f"Host: {self.host}:{self.port}",
                 f"Cookie: {self.cookie}", "", "")  # fmt: skip
        return "\r\n".join(lines).encode()


@dataclass(slots=True, kw_only=True)
class Tally:
    """`refused`: with 503 and Retry-After, as overload is to be; `other`: whatever else came."""

    answered: int = 0
    refused: int = 0
    other: Counter[str] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)

    def waited_s(self, share: float) -> float | None:
        """What so many of the answers took at most."""
        if not self.waits_s:
            return None
        ordered = sorted(self.waits_s)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


async def storm(page: Page, *, users: int, for_s: float) -> Tally:
    """All come at once; nobody begins to ask after `for_s`."""
    tally, until = Tally(), monotonic() + for_s
    async with asyncio.TaskGroup() as group:
        for _ in range(users):
            group.create_task(_use(page, tally, until))
    return tally


async def _use(page: Page, tally: Tally, until: float) -> None:
    while monotonic() < until:
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    page.host, page.port, limit=_HEAD_BYTES
                )
        except (OSError, TimeoutError) as exc:
            tally.other[f"no connection: {type(exc).__name__}"] += 1
            await asyncio.sleep(_PAUSE_S)
            continue
        try:
            await _talk(page, tally, until, reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as exc:
            tally.other[f"cut off: {type(exc).__name__}"] += 1
        finally:
            writer.close()


async def _talk(
    page: Page,
    tally: Tally,
    until: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Over one connection, for as long as the server keeps it."""
    keeps = True
    while keeps and (began := monotonic()) < until:
        writer.write(page.request)
        async with asyncio.timeout(_ANSWER_S):
            status, headers = await _answer(reader)
        tally.waits_s.append(monotonic() - began)
        keeps = headers.get("connection", "").lower() != "close"
        if status == 200:  # noqa: PLR2004 - HTTP's own number
            tally.answered += 1
        elif status == 503 and "retry-after" in headers:  # noqa: PLR2004 - as above
            tally.refused += 1
            await asyncio.sleep(_PAUSE_S)
        else:
            tally.other[f"status {status}"] += 1
            await asyncio.sleep(_PAUSE_S)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """ValueError where it is not HTTP as our server speaks it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    status = int(head[0].split(" ", 2)[1])
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    elif length := int(headers.get("content-length", "0")):
        await reader.readexactly(length)
    return status, headers
