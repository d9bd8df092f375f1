"""Workers ask the nodes that the table says, in its order, from the first item on."""

from collections.abc import Callable
from concurrent.futures import Future

import psycopg
import pytest

from tests.runs.test_worker import InstantEngine, NoCache
from validation import services
from validation.controls import Obedience
from validation.engine import no_node
from validation.ledger import Ledger
from validation.models import Chunk, Control, ControlRevision, Node, Run
from validation.resilience import Breakers
from validation.validators import Outcome
from validation.worker import Worker

type Start = Callable[..., Run]


def changed() -> None:
    """As any act on nodes does."""
    revision, _ = ControlRevision.objects.get_or_create(pk=1)
    revision.value += 1
    revision.save()
    Control.objects.update_or_create(
        kind="nodes", name="", defaults={"revision": revision.value, "reason": "", "actor": ""}
    )


def last(engine: InstantEngine) -> dict[str, list[str]]:
    in_service, watched = engine.nodes[-1]
    return {"in_service": list(in_service), "watched": list(watched)}


def obedience(engine: InstantEngine) -> Obedience:
    return Obedience(Breakers(), NoCache(), nodes=engine)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_starts_writes_its_nodes_down_once_and_asks_them(ledger: Ledger) -> None:
    for _ in range(2):
        engine = InstantEngine()
        obedience(engine).heed(ledger.connection)
        assert engine.nodes == [(("one:8545", "two:8545"), ())]
    rows = Node.objects.values_list("label", "url", "position")
    assert list(rows) == [("one:8545", "", 0), ("two:8545", "", 1)]


@pytest.mark.django_db(transaction=True)
def test_nodes_come_and_go_while_it_runs_and_the_change_is_acknowledged(ledger: Ledger) -> None:
    engine = InstantEngine()
    obeying = obedience(engine)
    obeying.heed(ledger.connection)
    Node.objects.create(label="three:8545", url="http://three:8545/", position=2)
    Node.objects.filter(label="one:8545").update(cordoned_at="2026-01-01T00:00:00Z")
    assert not obeying.heed(ledger.connection)  # nobody said so
    changed()
    assert obeying.heed(ledger.connection)
    assert last(engine) == {"in_service": ["two:8545", "three:8545"], "watched": ["one:8545"]}
    assert obeying.revision == 1
    Node.objects.filter(label="three:8545").delete()
    Node.objects.update(cordoned_at=None)
    Node.objects.filter(label="two:8545").update(position=0)
    Node.objects.filter(label="one:8545").update(position=1)
    changed()
    obeying.heed(ledger.connection)
    assert last(engine) == {"in_service": ["two:8545", "one:8545"], "watched": []}
    before = len(engine.nodes)
    obeying.heed(ledger.connection)
    assert len(engine.nodes) == before


@pytest.mark.django_db(transaction=True)
def test_a_row_that_cannot_be_asked_here_is_left_out(ledger: Ledger) -> None:
    """One of NODE_URLS of another time has no URL; one that cannot be read is not acknowledged."""
    Node.objects.create(label="elsewhere:8545", position=0)
    Node.objects.create(label="broken", url="ftp://user:secret@broken/", position=1)
    changed()
    engine = InstantEngine()
    obeying = obedience(engine)
    obeying.heed(ledger.connection)
    assert engine.nodes[-1] == (("one:8545", "two:8545"), ())
    assert obeying.revision == 0


@pytest.mark.django_db(transaction=True)
def test_another_server_has_another_table(
    ledger: Ledger, new_ledger: Callable[[str], Ledger]
) -> None:
    engine = InstantEngine()
    obeying = obedience(engine)
    obeying.heed(ledger.connection)
    Node.objects.filter(label="one:8545").update(cordoned_at="2026-01-01T00:00:00Z")
    obeying.heed(new_ledger("again").connection)
    assert engine.nodes[-1] == (("two:8545",), ("one:8545",))


def test_the_nodes_are_known_before_the_first_claim(start: Start, ledger: Ledger) -> None:
    start(1)
    Node.objects.create(label="one:8545", cordoned_at="2026-01-01T00:00:00Z")
    known: list[object] = []
    engine = InstantEngine(before=lambda: known.append(engine.nodes[-1]))
    Worker(ledger, engine).drain()
    assert known == [(("two:8545",), ("one:8545",))]
    assert ledger.configured == ("one:8545", "two:8545")


def test_with_postgres_away_the_nodes_stay_as_they_are(start: Start, ledger: Ledger) -> None:
    engine = InstantEngine()
    obeying = obedience(engine)
    obeying.heed(ledger.connection)
    ledger.connection.close()
    with pytest.raises(psycopg.OperationalError):
        obeying.heed(ledger._open)  # type: ignore[arg-type]
    assert len(engine.nodes) == 1
    obeying.heed(ledger.connection)
    assert engine.nodes[-1] == (("one:8545", "two:8545"), ())


class NobodyEngine(InstantEngine):
    """Every node is cordoned as long as `alone`."""

    alone = True

    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        if self.alone:
            found = [no_node(outcome.subject) for outcome in found]
        future.set_result(found)


def test_without_a_node_items_wait_and_lose_nothing(start: Start, ledger: Ledger) -> None:
    run = start(50)
    engine = NobodyEngine()
    now = [0.0]

    def tick() -> None:
        now[0] += 1.0

    engine.before = tick
    worker = Worker(ledger, engine, clock=lambda: now[0])
    assert worker.drain(budget_s=5) is True
    assert set(Chunk.objects.values_list("state", "attempts")) == {("ready", 0)}
    engine.alone = False
    worker.drain(budget_s=60)
    assert services.progress([run.pk])[run.pk].valid == 50
