"""Every field that a block's hash commits to, of every kind of object, changed in turn: no lie of
any of them is valid at level 3.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import rlp
from eth_utils.crypto import keccak

from tests.oracles import mutations
from tests.oracles.liar import Question, examined, true_answer
from tests.oracles.mutations import Mutation, Path
from tests.oracles.ours import raw_of
from tests.proofs import peer
from validation.devnode import archive
from validation.devnode.chain import Chain
from validation.devnode.consensus import header_fields, header_hash, raw
from validation.devnode.methods import Method, methods

type Json = dict[str, Any]
type Lies = Mapping[Question, Any]

BLOCK = 28
"""Of eight transactions, of two types, one with a log."""

NOTHING_COMMITS = {
    "size": "no rule of consensus knows it",
    "totalDifficulty": "it is a sum over all blocks before, and in no header",
}
MAY_BE_LEFT_OUT = {
    "v": "yParity says it too",
    "yParity": "v says it too",
    "type": "nodes from before there were types; only of the first type, or the hash differs",
    "chainId": "v says it; only of the first type, or the hash differs",
    "gasPrice": "follows from the limits and the base fee; only of types that have these",
    "effectiveGasPrice": "as gasPrice, in nodes from before London",
    "blobGasUsed": "follows from the number of blobs",
    "blobGasPrice": "follows from the header's excess",
    "blockTimestamp": "the header says it",
    "removed": "only subscriptions need it",
    "uncles": "there are none",
    "withdrawals": "of headers that are needed without their bodies",
}


class World(NamedTuple):
    chain: Chain
    truth: Mapping[str, Method]

    def told(self, method: str, *params: object) -> Any:
        return json.loads(true_answer(self.truth, *params, method=method))

    def block(self, number: int) -> Json:
        return dict(self.told("eth_getBlockByNumber", hex(number), True))

    async def verdict(self, subject: str, lies: Lies) -> tuple[str, set[Question]]:
        outcome, told = await examined(self.truth, subject, lies, chain_id=self.chain.chain_id)
        assert outcome.reason != "internal", f"{subject}: a defect here"
        return outcome.verdict, told


class Lie(NamedTuple):
    """A mutation of one answer, and what it makes of all that the node says otherwise."""

    what: str
    mutation: Mutation
    lies: Lies

    @property
    def is_one(self) -> bool:
        """Whether truth says anything of the field at all."""
        field = next((step for step in reversed(self.mutation.path) if isinstance(step, str)), "")
        if field in NOTHING_COMMITS:
            return False
        return self.mutation.how != "absent" or field not in MAY_BE_LEFT_OUT


@pytest.fixture(scope="module")
def world() -> World:
    chain = Chain(archive.read(archive.PACKAGED))
    return World(chain, methods(chain))


async def survivors(
    world: World, subject: str, lies: Iterator[Lie], *, least: int, given: Lies | None = None
) -> list[str]:
    """Those of at least `least` lies that pass as the truth, of which `given` is a part."""
    truth = given or {}
    verdict, _ = await world.verdict(subject, truth)
    assert verdict == "valid", f"{subject} is no truth to change"
    count, found = 0, []
    for lie in filter(lambda each: each.is_one, lies):
        verdict, told = await world.verdict(subject, {**truth, **lie.lies})
        assert told & set(lie.lies), f"nobody asked for {lie.what} {lie.mutation.shown}"
        count += 1
        if verdict == "valid":
            found.append(f"{lie.what}: {lie.mutation.shown}")
    assert count >= least
    return found


def lies_of(what: str, answer: Any, question: Question) -> Iterator[Lie]:
    for mutation in mutations.of(answer):
        yield Lie(what, mutation, {question: mutation.applied_to(answer)})


def twice(what: str, own: Question, around: Question, answer: Any, path: Path) -> Iterator[Lie]:
    """A lie about what stands at `path` of the answer to `around`: told of the item alone, and
    told in both places.
    """
    held = answer
    for step in path:
        held = held[step]
    for mutation in mutations.of(held):
        changed = mutation.applied_to(held)
        yield Lie(what, mutation, {own: changed})
        both = Mutation(path, "", changed).applied_to(answer)
        yield Lie(f"{what}, here and in its block", mutation, {own: changed, around: both})


def without_body(block: Json) -> Json:
    return {name: held for name, held in block.items() if name != "transactions"}


def of_type(number: int) -> Callable[[Json, Json], bool]:
    return lambda tx, receipt: tx["type"] == hex(number) and receipt["status"] == "0x1"


TRANSACTIONS: dict[str, Callable[[Json, Json], bool]] = {
    **{f"type {number}": of_type(number) for number in range(5)},
    "creation": lambda tx, receipt: bool(receipt["contractAddress"]),
    "failed": lambda tx, receipt: receipt["status"] == "0x0",
}


def found(world: World, wanted: Callable[[Json, Json], bool]) -> Json:
    """A transaction of the smallest block that has one such, with logs where one has."""
    pairs = [
        (-bool(receipt["logs"]), number, tx)
        for number in sorted(
            range(1, world.chain.latest), key=lambda each: len(world.chain.receipts_json(each))
        )[11:60]
        for tx, receipt in zip(
            world.block(number)["transactions"],
            world.told("eth_getBlockReceipts", hex(number)),
            strict=True,
        )
        if wanted(tx, receipt)
    ]
    return dict(min(pairs, key=lambda pair: pair[0])[2])


@pytest.mark.parametrize("kind", TRANSACTIONS)
async def test_no_lie_about_a_transaction_or_its_receipt_is_valid(world: World, kind: str) -> None:
    tx = found(world, TRANSACTIONS[kind])
    own, block = tx["hash"], tx["blockHash"]
    place = int(tx["transactionIndex"], 16)
    around, receipts = ("eth_getBlockByHash", block), ("eth_getBlockReceipts", block)

    def lies() -> Iterator[Lie]:
        body, all_receipts = world.told(*around, True), world.told(*receipts)
        item = ("eth_getTransactionByHash", own)
        yield from twice("transaction", item, around, body, ("transactions", place))
        item = ("eth_getTransactionReceipt", own)
        yield from twice("receipt", item, receipts, all_receipts, (place,))

    assert await survivors(world, f"tx:{own}", lies(), least=200) == []


async def test_no_lie_in_its_block_leaves_a_transaction_valid(world: World) -> None:
    block = world.block(BLOCK)
    subject = block["transactions"][2]["hash"]

    def lies() -> Iterator[Lie]:
        around = ("eth_getBlockByHash", block["hash"])
        for lie in lies_of("header", without_body(block), around):
            told = lie.lies[around] | {"transactions": block["transactions"]}
            # What a body holds beside transactions, and its own name, no transaction rests on.
            if lie.mutation.path[0] not in {"hash", "uncles", "withdrawals"}:
                yield lie._replace(lies={around: told})

    assert await survivors(world, f"tx:{subject}", lies(), least=80) == []


async def test_no_lie_about_a_block_or_its_receipts_is_valid(world: World) -> None:
    block = world.block(BLOCK)
    own, receipts = (
        ("eth_getBlockByHash", block["hash"]),
        ("eth_getBlockReceipts", block["hash"]),
    )

    types = [tx["type"] for tx in block["transactions"]]
    # Of each type the first; and the last, from which no running total goes on.
    chosen = {types.index(each) for each in types} | {len(types) - 1}

    def lies() -> Iterator[Lie]:
        for lie in lies_of("block", block, own):
            kind, place = (*lie.mutation.path, None)[:2]
            if kind != "transactions" or not isinstance(place, int) or place in chosen:
                yield lie
        for lie in lies_of("receipts", world.told(*receipts), receipts):
            if not lie.mutation.path or lie.mutation.path[0] in chosen:
                yield lie

    assert await survivors(world, f"block:{block['hash']}", lies(), least=400) == []


async def test_no_lie_about_its_parent_leaves_a_block_valid(world: World) -> None:
    block = world.block(BLOCK)
    parent = ("eth_getBlockByHash", block["parentHash"])
    truth = world.told(*parent, False)

    def lies() -> Iterator[Lie]:
        for lie in lies_of("parent", without_body(truth), parent):
            told = lie.lies[parent] | {"transactions": truth["transactions"]}
            if lie.mutation.path[0] not in {"hash", "uncles", "withdrawals"}:
                yield lie._replace(lies={parent: told})

    assert await survivors(world, f"block:{block['hash']}", lies(), least=80) == []


def sealed(world: World, **fields: Any) -> tuple[Json, Lies]:
    """An empty block of the chain with other fields and the hash that belongs to them."""
    number = next(n for n in range(1, 320) if not world.block(n)["transactions"])
    block = world.block(number) | fields
    block["hash"] = "0x" + header_hash(block).hex()
    own = block["hash"]
    return block, {("eth_getBlockByHash", own): block, ("eth_getBlockReceipts", own): []}


async def test_no_lie_about_a_withdrawal_is_valid(world: World) -> None:
    paid: list[tuple[int | bytes, ...]] = [
        (1_000 + n, 77 * n + 1, bytes([n + 1] * 20), 10**9 + n) for n in range(3)
    ]
    names = ("index", "validatorIndex", "address", "amount")
    given = [
        {
            name: hex(held) if isinstance(held, int) else "0x" + held.hex()
            for name, held in zip(names, each, strict=True)
        }
        for each in paid
    ]
    values = [rlp.encode(each) for each in paid]
    root = "0x" + peer.ordered_root(values).hex()
    block, truth = sealed(world, withdrawals=given, withdrawalsRoot=root)
    own = ("eth_getBlockByHash", block["hash"])

    def lies() -> Iterator[Lie]:
        for mutation in mutations.of(block, ("withdrawals",)):
            yield Lie("withdrawal", mutation, {own: mutation.applied_to(block)})

    subject = f"block:{block['hash']}"
    assert await survivors(world, subject, lies(), least=40, given=truth) == []


async def test_no_lie_about_an_uncle_is_valid(world: World) -> None:
    uncle = {k: v for k, v in world.block(3).items() if k != "transactions"}
    hashed = "0x" + keccak(rlp.encode([header_fields(uncle)])).hex()
    block, truth = sealed(world, uncles=[uncle["hash"]], sha3Uncles=hashed)
    own = block["hash"]
    asked = ("eth_getUncleByBlockHashAndIndex", own)

    def lies() -> Iterator[Lie]:
        for lie in lies_of("uncle", uncle, asked):
            if lie.mutation.path[0] not in {"hash", "uncles", "withdrawals"}:
                yield lie
        for mutation in mutations.of(block, ("uncles",)):
            told = {("eth_getBlockByHash", own): mutation.applied_to(block)}
            yield Lie("uncles", mutation, told)

    given = {**truth, asked: uncle}
    assert await survivors(world, f"block:{own}", lies(), least=80, given=given) == []


def before_byzantium(world: World) -> tuple[str, list[Json], Lies]:
    """A block of one transaction whose receipt holds the state's root, where receipts now hold
    whether it failed; its receipts; and all that is true of it.
    """
    tx = found(world, of_type(0))
    now = world.told("eth_getTransactionReceipt", tx["hash"])
    state, used = b"\x5a" * 32, now["gasUsed"]
    logs = [
        [raw(log["address"]), [*map(raw, log["topics"])], raw(log["data"])] for log in now["logs"]
    ]
    value = rlp.encode([state, int(used, 16), raw(now["logsBloom"]), logs])
    block, _ = sealed(
        world,
        receiptsRoot="0x" + peer.ordered_root([value]).hex(),
        transactionsRoot="0x" + peer.ordered_root([raw_of(tx)]).hex(),
        gasUsed=used,
        logsBloom=now["logsBloom"],
    )
    own = block["hash"]
    place = {"blockHash": own, "blockNumber": block["number"], "transactionIndex": "0x0"}

    def placed(told: Json, **fields: Any) -> Json:
        gone = {"status", "type", "blockTimestamp"} if "status" in told else {"blockTimestamp"}
        return {k: v for k, v in told.items() if k not in gone} | place | fields

    moved = [placed(log, logIndex=hex(at)) for at, log in enumerate(now["logs"])]
    receipt = placed(now, root="0x" + state.hex(), cumulativeGasUsed=used, logs=moved)
    truth = {
        ("eth_getBlockByHash", own): block | {"transactions": [placed(tx)]},
        ("eth_getBlockReceipts", own): [receipt],
    }
    return own, [receipt], truth


async def test_no_lie_about_the_state_after_an_old_transaction_is_valid(world: World) -> None:
    own, receipts, truth = before_byzantium(world)
    lies = lies_of("receipts", receipts, ("eth_getBlockReceipts", own))
    assert await survivors(world, f"block:{own}", lies, least=60, given=truth) == []


def accounts(world: World) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Addresses of each kind, with the slots to prove: held ones, and one that is not."""
    known = world.chain.accounts.values()
    contract = next(each for each in known if each.code != "0x" and len(each.storage) > 3)
    held = tuple(slot for slot in contract.storage if int(slot, 16))[:2]
    return {
        "contract": (contract.address, (*held, "0x" + "00" * 31 + "f7")),
        "person": (next(each.address for each in known if int(each.nonce, 16) > 1), ()),
        "nobody": ("0x" + "aa" * 20, ()),
    }


@pytest.mark.parametrize("kind", ["contract", "person", "nobody"])
async def test_no_lie_about_an_account_or_its_proof_is_valid(world: World, kind: str) -> None:
    address, slots = accounts(world)[kind]
    latest, proof = ("eth_getBlockByNumber", "latest"), ("eth_getProof", address)
    header = world.told(*latest, False)

    def lies() -> Iterator[Lie]:
        for lie in lies_of("header", without_body(header), latest):
            told = lie.lies[latest] | {"transactions": header["transactions"]}
            if lie.mutation.path[0] not in {"uncles", "withdrawals"}:
                yield lie._replace(lies={latest: told})
        for lie in lies_of("proof", world.told(*proof, slots, "latest"), proof):
            # Both forms of the empty account are true.
            if kind != "nobody" or lie.mutation.how != "all noughts":
                yield lie
        for method in ("eth_getBalance", "eth_getTransactionCount", "eth_getCode"):
            yield from lies_of(method, world.told(method, address, "latest"), (method, address))

    subject = f"address:{address}" + (f"/{','.join(slots)}" if slots else "")
    assert await survivors(world, subject, lies(), least=130) == []
