"""Requests count for the variants that their web process had, from their beginning to their end."""

from collections.abc import Callable, Iterable
from typing import Any

from console.bridge import BridgeConfig, WsgiBridge
from console.handler import ROUTE
from console.served import Served
from tests.web.conftest import Call

FLAG = "web.compression"


def app(environ: dict[str, Any], start: Callable[..., None]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    environ[ROUTE] = "static" if path.startswith("/static/") else "page"
    start("503 Away" if path == "/away/" else "200 OK", [])
    return [b"page"]


async def serve(served: Served, *paths: str, **calls: Any) -> None:
    bridge = WsgiBridge(app, BridgeConfig(served=served.begin))
    for path in paths:
        await Call(path, **calls).to(bridge)
    bridge.close()


async def test_each_request_counts_once_for_each_flag_with_what_failed() -> None:
    served = Served()
    served.hold({FLAG: "gzip", "api.quotas": "on"}, 5)
    await serve(served, "/pools/", "/away/", "/runs/")
    told = served.counts.told()
    assert (told.kind, told.revision, told.holds[FLAG]) == ("web", 5, "gzip")
    for key, variant in told.holds.items():
        work = told.flags[key][variant]
        assert (work.units, work.failed, sum(work.buckets)) == (3, 1, 3)
        assert work.mean_s is not None
        assert 0 < work.mean_s < 10


async def test_static_files_are_nobodys_work() -> None:
    served = Served()
    served.hold({FLAG: "gzip"}, 1)
    await serve(served, "/static/app.css")
    assert served.counts.told().flags[FLAG]["gzip"].units == 0


async def test_what_is_refused_before_a_thread_takes_it_up_counts_too() -> None:
    served = Served()
    served.hold({FLAG: "gzip"}, 1)
    bridge = WsgiBridge(app, BridgeConfig(threads=1, waiting=-1, served=served.begin))
    await Call("/pools/").to(bridge)
    bridge.close()
    work = served.counts.told().flags[FLAG]["gzip"]
    assert (work.units, work.failed) == (1, 1)


def test_a_flag_that_changed_during_a_request_has_served_it_with_neither_variant() -> None:
    served = Served()
    served.hold({FLAG: "gzip", "api.quotas": "on"}, 1)
    ended = served.begin()
    served.hold({FLAG: "brotli", "api.quotas": "on"}, 2)
    ended("page", 200, 0.01)
    flags = served.counts.told().flags
    assert {name: of.units for name, of in flags[FLAG].items()} == {"brotli": 0}
    assert flags["api.quotas"]["on"].units == 1
