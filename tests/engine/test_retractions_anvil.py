"""From a real node's reorganisation to the verdicts that are taken back and given again."""

from collections.abc import Iterator, Sequence

import pytest

from tests.engine.test_anvil import FEES, rpc, send
from tests.engine.test_reorg_anvil import node
from tests.runs.conftest import ledger, new_ledger
from validation import services
from validation.engine import Engine
from validation.heads import ChainView
from validation.ledger import Ledger
from validation.models import Result, Run
from validation.retractions import Sweeper
from validation.rpc import NodeUrl, Portal, RpcConfig
from validation.subjects import parse_subject

__all__ = ["ledger", "new_ledger", "node"]


class Worker:
    """What a worker process does, one step at a time."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        self.url = url
        self.ledger = ledger
        self.portal = Portal()
        self.portal.start()
        nodes = (NodeUrl.parse(url),)
        self.engine = Engine.on(RpcConfig(nodes=nodes, allow_loopback=True, chain_id=31337))
        self.view = ChainView(self.engine.client)
        self.sweeper = Sweeper(self.view)
        self.rounds(8)

    def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.portal.run(self.view.poll(), timeout_s=20)
            self.sweeper.sweep(self.ledger.connection)

    def work(self) -> None:
        claim = self.ledger.claim()
        assert claim is not None
        validating = self.engine.validate_many(claim.subjects, level=claim.level)
        outcomes = self.portal.run(validating, timeout_s=60)
        assert self.ledger.settle(claim, outcomes, self.view.is_settled)

    def stop(self) -> None:
        self.portal.run(self.engine.client.aclose(), timeout_s=5)
        self.portal.stop()


@pytest.fixture
def worker(node: str, ledger: Ledger) -> Iterator[Worker]:
    rpc(node, "anvil_mine", "0x64")
    worker = Worker(node, ledger)
    yield worker
    worker.stop()


def run_of(subjects: Sequence[str]) -> Run:
    # anvil seals many blocks in a second, which is unverifiable from level 3 on.
    return services.start_run(map(parse_subject, subjects), level=2, origin="cli")


def verdicts(run: Run) -> list[tuple[str, str]]:
    found = Result.objects.filter(run_id=run.pk).order_by("ordinal")
    return list(found.values_list("verdict", "reason"))


@pytest.mark.parametrize(("depth", "has_seen"), [(1, True), (6, True), (6, False)])
def test_verdicts_are_taken_back_and_items_of_the_new_chain_validate_again(
    worker: Worker, depth: int, has_seen: bool
) -> None:
    """Also of blocks that came and went between two looks at the chain."""
    url = worker.url
    sent = [send(url, **FEES) for _ in range(depth + 2)]
    top = int(rpc(url, "eth_blockNumber"), 16)
    run = run_of([*(f"tx:{tx}" for tx in sent), f"block:{top}", "block:5"])
    worker.work()
    assert set(verdicts(run)) == {("valid", "ok")}
    if has_seen:
        worker.rounds(1)
    raws = [rpc(url, "eth_getRawTransactionByHash", tx) for tx in sent[2:]]
    rpc(url, "anvil_reorg", depth, [[raw, n] for n, raw in enumerate(raws)])
    worker.rounds(1 if has_seen else 2)
    taken = ("unverifiable", "reorganised")
    stood = ("valid", "ok")
    assert verdicts(run) == [stood] * 2 + [taken] * (depth + 1) + [stood]
    progress = services.progress([run.pk])[run.pk]
    assert (progress.valid, progress.unverifiable, progress.done) == (3, depth + 1, depth + 4)
    run.refresh_from_db()
    again = services.retry_run(run, origin="cli", reason="reorganised")
    worker.work()
    worker.rounds(3)
    assert verdicts(again) == [stood] * (depth + 1)
