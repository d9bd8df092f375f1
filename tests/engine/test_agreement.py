"""M of N nodes say the same, or it is told who said what: beside the verdict."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from tests.devnode.conftest import chain
from tests.engine.world import FORGED, Lie, World, altered
from validation import engine
from validation.devnode.chain import Chain
from validation.validators import Agreement, Grounds, Outcome, Verdict

__all__ = ["chain"]


@pytest.fixture
def tx(chain: Chain) -> str:
    return f"tx:{chain.transactions[7]}"


def validate(world: World, subject: str, agreement: int, level: int = 2) -> Outcome:
    return asyncio.run(world.engine().validate_one(subject, level=level, agreement=agreement))


def agreed(outcome: Outcome) -> Agreement:
    assert outcome.agreement is not None
    return outcome.agreement


def test_as_many_nodes_are_asked_as_are_needed(chain: Chain, tx: str) -> None:
    world = World(chain, ("a", "b", "c", "d"))
    outcome = validate(world, tx, 3)
    assert agreed(outcome) == Agreement(asked=3, agreed=("a", "b", "c"))
    assert agreed(outcome).is_reached
    assert world.asked == {"a": 1, "b": 1, "c": 1}


def test_one_differs_and_one_is_silent(chain: Chain, tx: str) -> None:
    lie = altered("eth_getTransactionReceipt", cumulativeGasUsed="0xfffff", status="0x0")
    world = World(chain, ("a", "b", "c", "d"), lies={"b": lie}, down={"c"})
    outcome = validate(world, tx, 2)
    assert outcome.verdict is Verdict.VALID
    found = agreed(outcome)
    assert found.agreed == ("a", "d")
    assert [(each.node, each.said) for each in found.silent] == [("c", "node_unreachable")]
    [difference] = found.differs
    assert difference.node == "b"
    assert "TransactionReceipt cumulativeGasUsed: 0xfffff, not 0x" in difference.said
    assert "TransactionReceipt status: 0x0, not 0x1" in difference.said


def test_where_all_differ_all_are_heard_and_agreement_is_not_reached(chain: Chain, tx: str) -> None:
    names = ("a", "b", "c", "d")
    lies = {
        name: altered("eth_getTransactionReceipt", cumulativeGasUsed=hex(10**9 + n))
        for n, name in enumerate(names[1:])
    }
    outcome = validate(World(chain, names, lies=lies), tx, 2)
    found = agreed(outcome)
    assert (found.is_reached, found.agreed) == (False, ("a",))
    assert [each.node for each in found.differs] == ["b", "c", "d"]
    assert outcome.verdict is Verdict.VALID


def test_more_nodes_than_there_are_is_said(chain: Chain, tx: str) -> None:
    found = agreed(validate(World(chain, ("a", "b")), tx, 3))
    assert (found.agreed, found.is_reached) == (("a", "b"), False)
    assert [each.said for each in found.silent] == ["too few nodes: 2 of 3 are in service"]


def test_a_node_that_knows_no_such_item_says_null(chain: Chain, tx: str) -> None:
    world = World(chain, ("a", "b"), lies={"b": lambda _, said: None})
    [difference] = agreed(validate(world, tx, 2)).differs
    assert (difference.node, difference.said) == ("b", "null")


def test_what_differs_and_fails_its_checks_is_caught(chain: Chain, tx: str) -> None:
    for level in (1, 2):  # at level 1 the item itself is not held to its hash
        outcome = validate(World(chain, ("a", "b"), lies={"b": FORGED}), tx, 2, level)
        assert (outcome.verdict, outcome.node, outcome.level) == (Verdict.VALID, "a", level)
        assert {(caught.node, caught.check) for caught in outcome.caught or ()} >= {("b", "hash")}
        assert [each.node for each in agreed(outcome).differs] == ["b"]


def test_after_a_second_opinion_the_liar_is_the_one_that_differs(chain: Chain, tx: str) -> None:
    outcome = validate(World(chain, ("a", "b", "c"), lies={"a": FORGED}), tx, 2)
    assert (outcome.verdict, outcome.node) == (Verdict.VALID, "b")
    assert {caught.node for caught in outcome.caught or ()} == {"a"}
    assert agreed(outcome).agreed == ("b", "c")
    assert [each.node for each in agreed(outcome).differs] == ["a"]


def test_what_nobody_answered_is_agreed_by_nobody(chain: Chain, tx: str) -> None:
    outcome = validate(World(chain, ("a", "b"), down={"a"}), tx, 2)
    assert outcome.verdict is Verdict.ERROR
    assert agreed(outcome).agreed == ()
    assert [(each.node, each.said) for each in agreed(outcome).silent] == [
        ("a", "node_unreachable")
    ]


def test_what_cannot_be_read_is_no_difference(chain: Chain, tx: str) -> None:
    world = World(chain, ("a", "b"), lies={"b": altered("eth_getTransactionByHash", nonce="five")})
    found = agreed(validate(world, tx, 2))
    assert found.differs == ()
    assert "malformed_answer: nonce is 'five'" in found.silent[0].said


def test_one_node_agrees_with_itself(chain: Chain, tx: str) -> None:
    world = World(chain, ("a",))
    engine = world.engine()
    alone = type(engine)(engine.client, world, Grounds(chain_id=chain.chain_id))
    outcome = asyncio.run(alone.validate_one(tx, level=2, agreement=1))
    assert agreed(outcome) == Agreement(asked=1, agreed=("a",))


class Hanging(World):
    """`hangs` never answers, however long it is given."""

    async def fetch_from(self, node: str, calls: Any, **_: Any) -> Any:
        if node == "hangs":
            await asyncio.Event().wait()
        return await super().fetch_from(node, calls)


def test_who_is_not_heard_in_time_is_silent_and_the_others_count(
    chain: Chain, tx: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WITHIN_S", 0.05)
    outcome = validate(Hanging(chain, ("a", "hangs", "c")), tx, 3)
    assert outcome.verdict is Verdict.VALID
    found = agreed(outcome)
    assert (found.agreed, found.is_reached) == (("a", "c"), False)
    assert [(each.node, each.said) for each in found.silent] == [("hangs", "deadline_exceeded")]


def test_who_differs_and_then_hangs_is_no_longer_waited_for(
    chain: Chain, tx: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WITHIN_S", 0.05)

    class Turning(World):
        async def fetch_from(self, node: str, calls: Any, **kwargs: Any) -> Any:
            if node == "b" and self.asked["b"]:
                await asyncio.Event().wait()
            return await super().fetch_from(node, calls, **kwargs)

    outcome = validate(Turning(chain, ("a", "b"), lies={"b": FORGED}), tx, 2)
    assert (outcome.verdict, outcome.caught) == (Verdict.VALID, UNSET)
    assert [each.node for each in agreed(outcome).differs] == ["b"]


# -- what honest nodes write differently


def upper(_: str, said: Any) -> Any:
    """Hex in upper case, as deep as it goes; keys stay."""
    if isinstance(said, dict):
        return {name: upper("", held) for name, held in said.items()}
    if isinstance(said, list):
        return [upper("", held) for held in said]
    is_hex = isinstance(said, str) and said.startswith("0x")
    return f"0x{said[2:].upper()}" if is_hex else said


def without(*names: str) -> Lie:
    def tell(_: str, said: Any) -> Any:
        if isinstance(said, dict):
            return {name: held for name, held in said.items() if name not in names}
        return said

    return tell


def with_nulls(method: str, said: Any) -> Any:
    return {"blobVersionedHashes": None, "authorizationList": None, "root": None} | said


HONEST: dict[str, Lie] = {
    "upper case": upper,
    "no size": without("size", "totalDifficulty"),
    "no time beside": without("blockTimestamp"),
    "no price": without("effectiveGasPrice"),
    "parity once": without("v"),
    "nulls": with_nulls,
}


@pytest.mark.parametrize("name", HONEST)
def test_what_honest_nodes_write_differently_is_the_same(chain: Chain, name: str) -> None:
    kinds = {json_type(chain, tx): tx for tx in chain.transactions}
    world = World(chain, ("a", "b"), lies={"b": HONEST[name]})
    for kind, tx in kinds.items():
        if name == "parity once" and kind == "0x0":
            continue  # without it nothing is signed
        assert agreed(validate(world, f"tx:{tx}", 2)).agreed == ("a", "b"), kind
    if name not in {"parity once", "nulls"}:
        assert agreed(validate(world, "block:100", 2)).agreed == ("a", "b")


def json_type(chain: Chain, tx: str) -> str:
    return str(json.loads(chain.transaction_json[tx])["type"])


# -- what changes with the head


class Lagging(World):
    """`b` is three blocks behind; at `latest` it answers of its own head."""

    by = 3
    honest = True

    async def fetch_from(self, node: str, calls: Any, **_: Any) -> Any:
        if node == "b":
            at = hex(self.chain.latest - self.by)
            changed = [self._as_seen(each, at) for each in calls]
            reply = await super().fetch_from(node, changed)
            if not self.honest and calls[0].method == "eth_getBlockByNumber":
                header = reply.values[0].value
                lied = type(reply.values[0])(replaced(header, gas_used="0x1"), ())
                return type(reply)((lied,), node)
            if calls[0].method == "eth_blockNumber":
                return type(reply)((at,), node)
            return reply
        return await super().fetch_from(node, calls)

    def _as_seen(self, each: Any, at: str) -> Any:
        params = tuple(at if param == "latest" else param for param in each.params)
        return type(each)(each.method, params, each.decode)


def replaced(struct: Any, **fields: object) -> Any:
    return msgspec.structs.replace(struct, **fields)


def test_heads_are_compared_at_the_lower_of_the_two(chain: Chain) -> None:
    world = Lagging(chain, ("a", "b"))
    assert agreed(validate(world, "head", 2)).agreed == ("a", "b")


def test_a_head_that_is_another_at_the_same_block_differs(chain: Chain) -> None:
    world = Lagging(chain, ("a", "b"))
    world.honest = False
    [difference] = agreed(validate(world, "head", 2)).differs
    assert difference.said.startswith(f"at block {chain.latest - 3}: BlockByNumber gasUsed: 0x1,")


def test_what_is_proved_of_an_account_is_compared_and_not_its_proof(chain: Chain) -> None:
    world = World(chain, ("a", "b", "c"))

    def tell(method: str, said: Any) -> Any:
        if method == "eth_getProof":
            return said | {"codeHash": "0x" + "00" * 32}
        return "0x7" if method == "eth_getBalance" else said

    world.lies["b"] = tell
    outcome = validate(world, f"address:{chain.addresses[5]}", 3, level=3)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 3)
    assert agreed(outcome).agreed == ("a", "c")
    [difference] = agreed(outcome).differs
    assert difference.said.startswith("Balance: 0x7, not ")


class Boasting(World):
    """`a` says of the newest block by name what it would not say of it by number."""

    async def fetch_from(self, node: str, calls: Any, **_: Any) -> Any:
        reply = await super().fetch_from(node, calls)
        if node != "a" or all("latest" not in each.params for each in calls):
            return reply
        return replaced(reply, values=("0xffffffff", *reply.values[1:]))


def test_who_says_otherwise_by_name_than_by_number_agrees_with_nobody(chain: Chain) -> None:
    subject = f"address:{chain.addresses[5]}"
    found = agreed(validate(Boasting(chain, ("a", "b")), subject, 2, level=1))
    assert (found.agreed, found.is_reached) == (("a",), False)
    [difference] = found.differs
    assert difference.said.startswith("a says otherwise of its newest block than of block 320: ")
    assert "0xffffffff" in difference.said
    assert agreed(validate(World(chain, ("a", "b")), subject, 2, level=1)).is_reached
