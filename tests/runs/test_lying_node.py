"""From a node that lies to the row that cordons it: an engine over real sockets, a real ledger."""

from collections.abc import Callable, Iterator

import pytest

from tests.devnode.asking import Over
from tests.devnode.conftest import chain, serving
from validation import services, wiring
from validation.cache import CacheConfig, L1Config
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings
from validation.evidence import unpack, verify
from validation.evidence.packing import document
from validation.fleet_engine import EngineConfig, FleetEngine
from validation.ledger import Ledger
from validation.models import Catch, Control, ControlRevision, Evidence, Node, Result, Run
from validation.rpc import NodeUrl, Portal, RpcConfig
from validation.subjects import parse_subject
from validation.worker import Worker

__all__ = ["chain", "serving"]

COUNT = 30
LIE = "tx-value"

type Work = Callable[[Run], None]


class Fleet:
    """One worker over two devnodes, of which the first lies. `named`: NODE_URLS names them."""

    def __init__(
        self, chain: Chain, serving: Callable[[App], Over], ledger: Ledger, *, named: bool = True
    ) -> None:
        self.controls = Controls(settings=Settings(lie=LIE))
        apps = (create_app(chain, self.controls), create_app(chain))
        self.urls = tuple(serving(app).url for app in apps)
        self.liar, self.honest = (NodeUrl.parse(url) for url in self.urls)
        self.ledger = ledger
        portal = Portal()
        portal.start()
        self.engine = FleetEngine(portal, self._config(chain, named=named))
        self.worker = Worker(ledger, self.engine)

    def _config(self, chain: Chain, *, named: bool) -> EngineConfig:
        def of(nodes: object) -> RpcConfig:
            return RpcConfig(
                nodes=tuple(nodes),  # type: ignore[arg-type]
                chain_id=chain.chain_id,
                allow_loopback=True,
            )

        return EngineConfig(
            rpc=of((self.liar, self.honest)) if named else None,
            own_nodes=of,
            cache=CacheConfig(url="", key=b"k" * 32, l1=L1Config(max_entries=1_000), l1_ttl_s=60),
            breakers=wiring.BREAKERS,
            max_in_flight=64,
            processes=1,
        )

    def heed(self) -> None:
        self.worker._next_heed = 0.0
        self.worker._heed()

    def nodes(self) -> dict[str, bool]:
        return {node.label: node.in_service for node in self.engine.told()["nodes"]}


@pytest.fixture
def fleet(chain: Chain, serving: Callable[[App], Over], ledger: Ledger) -> Iterator[Fleet]:
    fleet = Fleet(chain, serving, ledger)
    yield fleet
    fleet.engine.stop()


def start(chain: Chain, **options: object) -> Run:
    subjects = [parse_subject(f"tx:{tx}") for tx in chain.transactions[:COUNT]]
    return services.start_run(subjects, **({"level": 2, "origin": "cli"} | options))  # type: ignore[arg-type]


def test_a_liar_is_caught_cordoned_forgotten_and_can_be_taken_back(
    chain: Chain, fleet: Fleet
) -> None:
    run = start(chain)
    assert fleet.worker.drain(budget_s=60) is False

    results = Result.objects.filter(run_id=run.pk)
    assert set(results.values_list("verdict", "level", "node")) == {
        ("valid", 2, fleet.honest.label)
    }  # fmt: skip
    assert services.progress([run.pk])[run.pk].valid == COUNT
    row = Node.objects.get(label=fleet.liar.label)
    assert row.cordoned_at is not None
    assert row.cordoned_by.startswith("worker ")
    assert str(run) in row.cordon_reason
    assert set(Catch.objects.values_list("label", "run_id")) == {(fleet.liar.label, run.pk)}
    assert Control.objects.filter(kind="purge", name=f"node:{fleet.liar.label}").exists()

    kept = Evidence.objects.filter(run_id=run.pk).first()
    assert kept is not None
    told = unpack(bytes(kept.bundle or b""))
    assert told.outcome.verdict == "invalid"
    assert verify(document(bytes(kept.bundle or b""))).same
    assert kept.spans  # it was a small run

    fleet.heed()
    assert fleet.nodes() == {fleet.honest.label: True, fleet.liar.label: False}
    before = fleet.controls.counters.calls
    again = start(chain)
    fleet.worker.drain(budget_s=60)
    assert services.progress([again.pk])[again.pk].valid == COUNT
    assert fleet.controls.counters.calls - before <= 2  # its head is watched, at most

    fleet.controls.settings = Settings()
    Node.objects.update(cordoned_at=None, cordoned_by="", cordon_reason="")
    Control.objects.filter(kind="nodes").update(revision=99)
    ControlRevision.objects.update(value=99)
    fleet.heed()
    assert fleet.nodes() == {fleet.liar.label: True, fleet.honest.label: True}
    assert fleet.worker._snapshot().acknowledged == 99


def test_a_run_that_names_one_node_hears_what_that_one_says(chain: Chain, fleet: Fleet) -> None:
    run = start(chain, node_urls=[fleet.urls[0]])
    fleet.worker.drain(budget_s=60)
    assert services.progress([run.pk])[run.pk].invalid == COUNT
    assert not Catch.objects.exists()  # the deployment's node of that label may be another
    assert not Node.objects.exclude(cordoned_at=None).exists()


def test_a_run_that_names_two_compares_them_and_cordons_none(chain: Chain, fleet: Fleet) -> None:
    run = start(chain, node_urls=list(fleet.urls))
    Run.objects.filter(pk=run.pk).update(agreement=2)
    fleet.worker.drain(budget_s=60)
    assert services.progress([run.pk])[run.pk].valid == COUNT
    [asked] = set(Result.objects.values_list("agreement__asked", flat=True))
    assert asked == 2
    differing = Result.objects.first()
    assert differing is not None
    assert differing.agreement is not None
    assert [each["node"] for each in differing.agreement["differs"]] == [fleet.liar.label]
    assert not Node.objects.exclude(cordoned_at=None).exists()


def test_without_a_node_in_service_items_wait_until_one_comes(chain: Chain, fleet: Fleet) -> None:
    fleet.heed()
    fleet.engine.set_nodes((), watched=(fleet.liar, fleet.honest))
    run = start(chain)
    fleet.worker._next_heed = float("inf")  # operators say nothing for now
    assert fleet.worker.drain(budget_s=0.01) is True
    assert services.progress([run.pk])[run.pk].done == 0
    fleet.engine.set_nodes((fleet.honest,))
    fleet.worker.drain(budget_s=60)
    assert services.progress([run.pk])[run.pk].valid == COUNT


def test_a_fleet_that_was_started_without_a_node_asks_the_first_that_is_added(
    chain: Chain, serving: Callable[[App], Over], ledger: Ledger
) -> None:
    fleet = Fleet(chain, serving, ledger, named=False)
    try:
        run = start(chain, node_urls=[fleet.urls[1]])
        fleet.worker.drain(budget_s=60)
        assert services.progress([run.pk])[run.pk].valid == COUNT
        assert (fleet.engine.chain, fleet.nodes()) == (None, {})
        Node.objects.create(label=fleet.honest.label, url=fleet.urls[1])
        fleet.ledger.close()  # a new connection reads all there is
        fleet.heed()
        assert fleet.nodes() == {fleet.honest.label: True}
        shared = start(chain, node_urls=[fleet.urls[1]])
        Run.objects.filter(pk=shared.pk).update(node_urls=[])
        fleet.worker.drain(budget_s=60)
        assert services.progress([shared.pk])[shared.pk].valid == COUNT
        assert fleet.engine.chain is not None
    finally:
        fleet.engine.stop()
