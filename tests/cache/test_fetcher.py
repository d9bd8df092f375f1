"""The fetcher with a memory: what it tells validators, and when it asks the nodes all the same."""

import asyncio
import uuid

import msgspec
import pytest

from tests.cache.fetchers import BLOCK, TX, Fleet, Node
from tests.cache.tiers import until
from validation.cache import Steering
from validation.rpc import Call, DeadlineExceeded, NodeUnreachable, RpcError, WrongChain
from validation.subjects import parse_subject
from validation.validators.registry import KINDS


@pytest.mark.parametrize(
    "subject", [f"tx:{TX['hash']}", "block:16", f"block:{BLOCK['hash']}", "address:0x" + "11" * 20]
)
async def test_an_outcome_from_memory_differs_in_source_and_age_alone(
    fleet: Fleet, subject: str
) -> None:
    one, other = await fleet.start(), await fleet.start()
    outcomes = [await process.validate(subject) for process in (one, one, other)]
    assert [outcome.source for outcome in outcomes] == ["node", "l1", "l2"]
    alike = {msgspec.structs.replace(o, source="", age_s=0.0, ms=0.0) for o in outcomes}
    assert len(alike) == 1
    assert next(iter(alike)).verdict == "valid"
    assert one.node.questions == 1


async def test_that_nothing_is_there_is_said_from_memory(fleet: Fleet, node: Node) -> None:
    node.answers |= {"eth_getTransactionByHash": None, "eth_getTransactionReceipt": None}
    one = await fleet.start()
    outcomes = [await one.validate(f"tx:{TX['hash']}") for _ in range(2)]
    assert [o.source for o in outcomes] == ["node", "l1"]
    assert {o.verdict for o in outcomes} == {"not_found"}


async def test_nobody_is_accused_from_memory(fleet: Fleet, node: Node) -> None:
    one = await fleet.start()
    node.answers["eth_getTransactionByHash"] = TX | {"value": "0x1"}
    first = await one.validate(f"tx:{TX['hash']}", level=2)
    node.answers["eth_getTransactionByHash"] = TX
    then = [await one.validate(f"tx:{TX['hash']}", level=2) for _ in range(2)]
    assert (first.verdict, first.source) == ("invalid", "node")
    assert [(o.verdict, o.source) for o in then] == [("valid", "node"), ("valid", "l1")]


async def test_a_block_asked_for_by_hash_is_known_from_its_number(fleet: Fleet) -> None:
    fleet.chain._final = 1
    one, other = await fleet.start(), await fleet.start()
    await one.fetch("block:16")
    assert (await other.fetch(f"block:{BLOCK['hash']}")).source == "l2"


async def test_a_reorganisation_takes_with_it_what_stood_on_its_blocks(
    fleet: Fleet, node: Node
) -> None:
    fleet.chain._final = 1
    one, other = await fleet.start(), await fleet.start()
    subjects = ["block:16", "address:0x" + "11" * 20, f"tx:{TX['hash']}"]
    for subject in subjects:
        for process in (one, other):
            await process.fetch(subject)
    one.fetcher.forget_blocks([BLOCK["hash"]])
    await until(lambda: other.cache.counts.invalidated >= 2, what="the other heard of it")
    assert [(await one.fetch(subject)).source for subject in subjects] == ["node", "node", "l1"]
    assert (await other.fetch(subjects[2])).source == "l1"  # it is in another block
    other.cache.l1.clear()
    fleet.chain._orphan = BLOCK["hash"]
    before = node.questions
    await other.fetch("block:16")
    assert node.questions == before + 1


async def test_until_the_chain_is_known_nodes_are_asked(fleet: Fleet, node: Node) -> None:
    node.genesis = None
    one = await fleet.start(knows_chain=False)
    replies = [await one.fetch("block:16") for _ in range(2)]
    assert [reply.source for reply in replies] == ["node", "node"]
    assert len(one.cache.l1) == 0


async def test_another_chain_shares_nothing(fleet: Fleet, node: Node) -> None:
    one = await fleet.start()
    await one.fetch("block:16")
    node.genesis = "0x" + "42" * 32
    other = await fleet.start()
    assert one.fetcher.namespace != other.fetcher.namespace
    assert (await other.fetch("block:16")).source == "node"


async def test_a_node_that_serves_another_chain_now_fills_nothing_under_the_old_name(
    fleet: Fleet, node: Node
) -> None:
    one = await fleet.start()
    before = one.fetcher.namespace
    await one.fetch("block:16")
    node.genesis = "0x" + "43" * 32
    one.fetcher.forget_blocks([])  # its view of the chain says that something is amiss
    await until(lambda: one.fetcher.namespace != before, what="it has another name")
    assert len(one.cache.l1) == 0
    assert (await one.fetch("block:16")).source == "node"


async def test_what_was_final_and_is_not_raises_doubt(fleet: Fleet, node: Node) -> None:
    one = await fleet.start(poll_s=0.01)
    before = one.fetcher.namespace
    await until(lambda: one.fetcher._final == 100, what="it knows what is final")
    node.genesis = None
    fleet.chain._final = 5
    await until(lambda: not one.fetcher.namespace, what="nothing counts until the chain is known")
    replies = [await one.fetch("block:16") for _ in range(2)]
    assert [reply.source for reply in replies] == ["node", "node"]
    node.genesis = "0x" + "44" * 32
    await until(lambda: bool(one.fetcher.namespace), what="it is known again")
    assert one.fetcher.namespace != before


async def test_the_wrong_chain_raises_doubt(fleet: Fleet, node: Node) -> None:
    one = await fleet.start()
    before = one.fetcher.namespace
    node.error = WrongChain("serves chain 5, not 1", node="node-1")
    with pytest.raises(WrongChain):
        await one.fetch("block:16")
    assert one.fetcher.namespace == b""
    node.error = None
    await until(lambda: one.fetcher.namespace == before, what="it is known again")


async def test_an_answer_that_outlives_its_chain_s_name_is_not_kept(
    fleet: Fleet, node: Node
) -> None:
    one = await fleet.start()
    node.gate = asyncio.Event()
    asking = asyncio.create_task(one.fetch("block:16"))
    await until(lambda: node.questions == 1, what="it is asked")
    node.genesis = None
    one.fetcher.learn_again()
    node.gate.set()
    assert (await asking).source == "node"
    assert len(one.cache.l1) == 0


async def test_a_purge_parts_what_the_client_below_shares(fleet: Fleet, node: Node) -> None:
    one, other = await fleet.start(), await fleet.start()
    parted = node.parted
    one.fetcher.forget_blocks(["0x" + uuid.uuid4().hex])
    assert node.parted == parted + 1
    await until(lambda: node.parted > parted + 1, what="also where it was heard of")
    assert other.node is node


async def test_a_question_of_no_known_kind_goes_to_the_node(fleet: Fleet) -> None:
    one = await fleet.start()
    calls = (Call("eth_getCode", ("0x1", "latest"), bytes),)
    assert [(await one.fetcher.fetch(calls)).source for _ in range(2)] == ["node", "node"]


async def test_fresh_asks_and_replaces(fleet: Fleet) -> None:
    one = await fleet.start()
    await one.fetch("block:16")
    assert (await one.fetch("block:16", fresh=True)).source == "node"
    assert (await one.fetch("block:16")).source == "l1"
    assert one.node.questions == 2


async def test_what_is_forgotten_is_asked_again(fleet: Fleet) -> None:
    one = await fleet.start()
    await one.fetch("block:16")
    parsed = parse_subject("block:16")
    one.fetcher.forget(KINDS[parsed.kind].calls(parsed))
    assert (await one.fetch("block:16")).source == "node"


async def test_errors_come_through_as_they_are(fleet: Fleet, node: Node) -> None:
    one = await fleet.start()
    node.error = NodeUnreachable("gone", node="node-1")
    with pytest.raises(NodeUnreachable):
        await one.fetch("block:16")
    node.error = None
    assert (await one.fetch("block:16")).source == "node"


async def test_a_callers_own_time_is_its_own(fleet: Fleet, node: Node) -> None:
    one = await fleet.start()
    node.gate = asyncio.Event()
    patient = asyncio.create_task(one.fetch("block:16"))
    await until(lambda: node.questions == 1, what="it is asked")
    with pytest.raises(DeadlineExceeded):
        await one.fetch("block:16", timeout_s=0.05)
    node.gate.set()
    assert (await patient).source == "node"


async def test_time_that_ran_out_is_an_error_of_the_client(fleet: Fleet, node: Node) -> None:
    one = await fleet.start(hard_s=0.05, poll_s=0.02)
    node.gate = asyncio.Event()
    with pytest.raises(RpcError) as late:
        await one.fetch("block:16")
    assert isinstance(late.value, DeadlineExceeded)
    node.gate.set()


class TestSteering:
    async def test_an_operator_purges_and_resizes_from_another_thread(self, fleet: Fleet) -> None:
        one = await fleet.start()
        steering = Steering(one.cache, asyncio.get_running_loop())
        await one.fetch("block:16")
        await asyncio.to_thread(steering.purge, "block", age_s=0.0, revision=0)
        assert len(one.cache.l1) == 0
        await asyncio.to_thread(steering.resize, {"max_entries": 32.0}, revision=7)
        report = steering.report()
        assert (report["max_entries"], report["revision"]) == (32, 7)
        steering.resize({}, revision=0)
        assert steering.report()["max_entries"] == one.cache.config.l1.max_entries

    async def test_what_it_reports_adds_up(self, fleet: Fleet) -> None:
        one = await fleet.start()
        for subject in ("block:16", "block:16", "block:17"):
            await one.fetch(subject)
        report = Steering(one.cache, asyncio.get_running_loop()).report()
        assert sum(report["kinds"]["block"].values()) == 3
        assert report["kinds"]["block"]["l1"] == 1
        assert report["l2_reachable"] is True
        assert sum(report["codecs"].values()) >= 1
        assert report["entries"] == len(one.cache.l1)
        assert 0 < report["bytes_stored"] < report["bytes_raw"]
