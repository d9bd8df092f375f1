"""A process of the fleet, as far as its cache goes; told by lines on stdin, answers on stdout.

`ask HASH COUNT`: so many callers at once ask for a transaction; tells the sources of their answers.
`has HASH`: whether L1 holds it. `purge TAG`. `end`.
"""

import asyncio
import sys

import structlog
import uvloop

from tests.cache.tiers import KEY
from validation.cache import CacheConfig, CachedFetcher, TieredCache
from validation.cache.keys import key_of
from validation.resilience import Breaker
from validation.rpc import NodeUrl, RpcClient, RpcConfig
from validation.subjects import parse_subject
from validation.validators import transactions


class AllFinal:
    """Nothing expires while this machine is slow."""

    def final_number(self) -> int:
        return 1 << 62

    def is_settled(self, _number: int, _block_hash: str, /) -> bool:
        return True

    def is_orphaned(self, _block_hash: str, /) -> bool:
        return False


async def main(url: str, node: str) -> None:
    client = RpcClient(RpcConfig(nodes=(NodeUrl.parse(node),), allow_loopback=True))
    # A process that this machine holds up for a second or two is not what is tested.
    patient = CacheConfig(url=url, key=KEY, reply_s=2.0, connect_s=5.0, blind_s=1e9, claim_s=60.0)
    cache = TieredCache(patient, breaker=Breaker("l2"))
    fetcher = CachedFetcher(client, cache, finality=AllFinal())
    fetcher.start()
    await asyncio.wait_for(fetcher.is_warm.wait(), 20)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    print("ready", flush=True)  # noqa: T201 - this is how it speaks
    while (words := (await lines.readline()).decode().split()) and words[0] != "end":
        print(await answer(fetcher, *words), flush=True)  # noqa: T201 - as above
    await fetcher.aclose()
    await client.aclose()


async def answer(fetcher: CachedFetcher, what: str, whom: str, count: str = "1") -> str:
    if what == "purge":
        fetcher.cache.purge(whom)
        return "purged"
    calls = transactions.calls(parse_subject(f"tx:{whom}"))
    if what == "has":
        found = key_of(fetcher.namespace, calls)
        return "yes" if found and found[0] in fetcher.cache.l1 else "no"
    replies = await asyncio.gather(*[fetcher.fetch(calls) for _ in range(int(count))])
    return " ".join(sorted(reply.source for reply in replies))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(sys.argv[1], sys.argv[2]))
