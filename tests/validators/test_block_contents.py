"""Level 3 of a block: roots, receipts, fees, time and parent, each way to be right and wrong."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from tests.validators.sealed import BASE_FEE, GENESIS_TIME, Sealed, Serving, seal, sound
from tests.validators.test_in_block import KINDS, flip, leaves, put
from tests.validators.world import (
    CHAIN_ID,
    FORKS,
    HEADER,
    TO,
    Json,
    bloom,
    detail,
    hash_header,
    signed,
    statuses,
    unsigned,
)
from validation.subjects import parse_subject
from validation.validators import CHECKS, Grounds, Outcome, Verdict, validate

NOW = float(GENESIS_TIME + 600)
WITHDRAWAL: Json = {"index": "0x5", "validatorIndex": "0x9", "address": TO, "amount": "0x3b9aca00"}
OF_PRAGUE = {
    "transactions_root", "block_header", "receipts_root", "block_bloom", "block_gas", "receipts",
    "requests_hash", "withdrawals_root", "blob_gas", "uncles_hash", "parent", "timestamp",
    "base_fee", "excess_blob_gas",
}  # fmt: skip


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return seal(sound(KINDS), withdrawals=[WITHDRAWAL, WITHDRAWAL | {"index": "0x6"}])


async def at_3(
    node: Serving, block_hash: str, *, chain_id: int | None = CHAIN_ID, explain: bool = False
) -> Outcome:
    grounds = Grounds(chain_id=chain_id, now=lambda: NOW)
    subject = parse_subject(f"block:{block_hash}")
    return await validate(subject, level=3, fetcher=node, grounds=grounds, explain=explain)


async def test_a_block_with_every_type_is_valid(sealed: Sealed) -> None:
    node = sealed.node()
    outcome = await at_3(node, sealed.hash)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 3, "ok"), outcome
    assert {name for name in statuses(outcome) if CHECKS[name].level == 3} == OF_PRAGUE
    assert node.methods() == [
        "eth_getBlockByHash",
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
        "eth_getBlockByHash",
    ]


@pytest.mark.parametrize("fork", FORKS)
async def test_blocks_of_every_fork_are_valid(fork: str) -> None:
    block = seal(sound([0, 1]), fork=fork)
    outcome = await at_3(block.node(), block.hash)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 3), outcome
    is_later = list(FORKS).index(fork)
    for place, name in enumerate(["base_fee", "withdrawals_root", "blob_gas", "requests_hash"]):
        assert (name in statuses(outcome)) == (is_later > place)


async def test_an_empty_block_is_valid() -> None:
    block = seal([])
    assert (await at_3(block.node(), block.hash)).level == 3


async def test_the_first_block_has_no_parent() -> None:
    block = seal([], header={"number": "0x0", "parentHash": "0x" + "00" * 32})
    node = block.node()
    assert (await at_3(node, block.hash)).level == 3
    assert len(node.asked) == 2


# What follows is each sealed with a wrong header: it hashes to its hash, and is impossible.
IMPOSSIBLE: dict[str, tuple[Json, str, str]] = {
    "another transactions root": ({"transactionsRoot": "0x" + "04" * 32}, "transactions_root", ""),
    "another receipts root": ({"receiptsRoot": "0x" + "04" * 32}, "receipts_root", ""),
    "another withdrawals root": ({"withdrawalsRoot": "0x" + "04" * 32}, "withdrawals_root", ""),
    "another bloom": ({"logsBloom": "0x" + "06" * 256}, "block_bloom", ""),
    "another gas": ({"gasUsed": "0x1"}, "block_gas", "computed 126000"),
    "more gas than allowed": ({"gasLimit": "0x5208"}, "block_gas", "above the limit"),
    "another blob gas": ({"blobGasUsed": "0x20000"}, "blob_gas", "computed 262144"),
    "uncles that nobody names": ({"sha3Uncles": "0x" + "04" * 32}, "uncles_hash", ""),
    "a number that skips one": ({"number": "0x11"}, "parent", "computed 16"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
async def test_a_header_that_its_content_does_not_make_is_invalid(case: str) -> None:
    header, check, said = IMPOSSIBLE[case]
    block = seal(sound(KINDS), header=header)
    outcome = await at_3(block.node(), block.hash)
    assert (outcome.verdict, outcome.level) == (Verdict.INVALID, 2), outcome
    assert outcome.reason == CHECKS[check].reason
    assert said in detail(outcome, check)
    failed = next(each for each in outcome.checks if each.name == check)
    assert failed.computed
    assert failed.computed != failed.claimed
    assert isinstance(outcome.caught, tuple)
    assert check in {each.check for each in outcome.caught}


# What breaks the rules of Ethereum is wrong on its networks, elsewhere it may be the chain's rule.
AGAINST_THE_RULES: dict[str, tuple[Json, str]] = {
    "another base fee": ({"baseFeePerGas": hex(BASE_FEE + 1)}, "base_fee"),
    "another excess": ({"excessBlobGas": "0x20000"}, "excess_blob_gas"),
    "as old as its parent": ({"timestamp": hex(GENESIS_TIME)}, "timestamp"),
    "from the future": ({"timestamp": hex(GENESIS_TIME + 616)}, "timestamp"),
}


def of_mainnet(header: Json | None = None) -> Sealed:
    """A block of a time when mainnet followed Prague, without transactions, which name a chain."""
    return seal([], header=header)


@pytest.mark.parametrize("case", AGAINST_THE_RULES)
async def test_rules_bind_where_they_are_known(case: str) -> None:
    header, check = AGAINST_THE_RULES[case]
    block = of_mainnet(header)
    outcome = await at_3(block.node(), block.hash, chain_id=1)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, CHECKS[check].reason), outcome
    caught = outcome.caught if isinstance(outcome.caught, tuple) else ()
    # The clock that is wrong may be ours: nobody is accused of being from the future.
    assert bool(caught) == (case != "from the future")
    for chain_id in (10, None, CHAIN_ID):
        outcome = await at_3(block.node(), block.hash, chain_id=chain_id)
        assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
        assert outcome.reason == "unknown_rules"
        assert statuses(outcome)[check] == "skip"
        assert "may not be this chain's" in detail(outcome, check)


async def test_rules_that_came_after_this_version_are_not_guessed() -> None:
    late = 1_900_000_000
    block = seal(
        [],
        header={"timestamp": hex(late), "excessBlobGas": "0x1"},
        parent={"timestamp": hex(late - 12)},
    )
    grounds = Grounds(chain_id=1, now=lambda: float(late))
    outcome = await validate(
        parse_subject(f"block:{block.hash}"), level=3, fetcher=block.node(), grounds=grounds
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_rules")


async def test_a_few_seconds_between_clocks_are_no_future() -> None:
    block = of_mainnet({"timestamp": hex(GENESIS_TIME + 614)})
    assert (await at_3(block.node(), block.hash, chain_id=1)).verdict is Verdict.VALID


async def test_the_fees_of_a_full_parent_rise() -> None:
    full = {"gasUsed": HEADER["gasLimit"]}
    risen = BASE_FEE + BASE_FEE // 8
    block = seal([], parent=full, header={"baseFeePerGas": hex(risen)})
    outcome = await at_3(block.node(), block.hash, chain_id=1, explain=True)
    assert outcome.verdict is Verdict.VALID
    told = next(each for each in outcome.checks if each.name == "base_fee")
    assert (told.computed, told.claimed) == (str(risen), str(risen))


# Lies about a block whose header is true.
def changed(method: str, change: Callable[[Any], object]) -> dict[str, Callable[[Any], Any]]:
    def tell(answer: Any) -> Any:
        if isinstance(answer, list) or answer["number"] != "0xf":
            change(answer)
        return answer

    return {method: tell}


LIES: dict[str, tuple[dict[str, Callable[[Any], Any]], str, str]] = {
    "a dropped transaction": (
        changed("eth_getBlockByHash", lambda told: told["transactions"].pop()),
        "transactions_root", "invalid",
    ),
    "a changed withdrawal": (
        changed("eth_getBlockByHash", lambda told: told["withdrawals"][0].update(amount="0x1")),
        "withdrawals_root", "invalid",
    ),
    "no withdrawals": (
        changed("eth_getBlockByHash", lambda told: told.pop("withdrawals")),
        "withdrawals_root", "unverifiable",
    ),
    "an uncle": (
        changed("eth_getBlockByHash", lambda told: told.update(uncles=["0x" + "0a" * 32])),
        "uncles_hash", "invalid",
    ),
    "a dropped receipt": (
        changed("eth_getBlockReceipts", lambda told: told.pop()), "receipts_root", "invalid",
    ),
    "another gas in a receipt": (
        changed("eth_getBlockReceipts", lambda told: told[2].update(gasUsed="0x1")),
        "receipts", "invalid",
    ),
    "another contract in a receipt": (
        changed("eth_getBlockReceipts", lambda told: told[5].update(contractAddress=TO)),
        "receipts", "invalid",
    ),
    "another price in a receipt": (
        changed("eth_getBlockReceipts", lambda told: told[2].update(effectiveGasPrice="0x1")),
        "receipts", "invalid",
    ),
    "another price of blobs": (
        changed("eth_getBlockReceipts", lambda told: told[3].update(blobGasPrice="0x2")),
        "receipts", "unverifiable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_about_its_content_is_caught(sealed: Sealed, lie: str) -> None:
    told, check, verdict = LIES[lie]
    node = sealed.node()
    node.told = told
    outcome = await at_3(node, sealed.hash)
    assert (outcome.verdict, outcome.level) == (verdict, 2), outcome
    assert statuses(outcome)[check] == ("fail" if verdict == "invalid" else "skip")
    assert bool(outcome.caught) == (verdict == "invalid")


async def test_evidence_of_another_header_is_caught(sealed: Sealed) -> None:
    """Only asked for again with its receipts the block is another."""
    node = sealed.node()
    times = 0

    def tell(answer: Any) -> Any:
        nonlocal times
        times += 1
        return answer | {"gasUsed": "0x1"} if times == 2 else answer

    node.told["eth_getBlockByHash"] = tell
    outcome = await at_3(node, sealed.hash)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "block_header_mismatch")


async def test_a_parent_that_does_not_hash_to_its_hash_is_caught(sealed: Sealed) -> None:
    node = sealed.node()
    node.told["eth_getBlockByHash"] = lambda told: (
        told | {"gasUsed": "0x1"} if told["number"] == "0xf" else told
    )
    outcome = await at_3(node, sealed.hash)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "parent_mismatch")
    assert isinstance(outcome.caught, tuple)


async def test_what_the_node_does_not_have_is_said(sealed: Sealed) -> None:
    node = sealed.node()
    node.told["eth_getBlockByHash"] = lambda told: None if told["number"] == "0xf" else told
    outcome = await at_3(node, sealed.hash)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "parent_not_served")
    assert sealed.parent["hash"] in detail(outcome, "parent")
    node = sealed.node()
    node.refused["eth_getBlockReceipts"] = -32601
    outcome = await at_3(node, sealed.hash)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "receipts_not_served")
    # What takes no receipts is verified all the same.
    assert statuses(outcome)["transactions_root"] == statuses(outcome)["base_fee"] == "pass"


async def test_requests_that_no_answer_holds_are_no_failure() -> None:
    block = seal(sound([0]), header={"requestsHash": "0x" + "0a" * 32})
    outcome = await at_3(block.node(), block.hash)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
    assert outcome.reason == "requests_not_served"


DEPOSITS = "0x00000000219ab540356cbb839cbe05303d7705fa"
DEPOSITED = "0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5"


def with_deposit(requests: bytes) -> Sealed:
    """On mainnet, one deposit in a log as Solidity encodes it; `requests` are what is claimed."""
    parts = [bytes([number]) * size for number, size in enumerate((48, 32, 8, 96, 8), start=1)]
    padded = [len(part).to_bytes(32) + part + bytes(-len(part) % 32) for part in parts]
    offsets = b"".join(
        (160 + len(b"".join(padded[:place]))).to_bytes(32) for place in range(len(parts))
    )
    data = "0x" + (offsets + b"".join(padded)).hex()
    bits = bloom([DEPOSITS, DEPOSITED])

    def deposit(receipts: list[Json]) -> None:
        receipts[0]["logsBloom"] = bits
        receipts[0]["logs"][0] |= {"address": DEPOSITS, "topics": [DEPOSITED], "data": data}

    claimed = "0x" + sha256(sha256(b"\0" + requests).digest() if requests else b"").hexdigest()
    tx = signed(0, unsigned(0) | {"chainId": 1, "nonce": 0})
    header = {"requestsHash": claimed, "logsBloom": bits}
    return seal([tx], header=header, logs=lambda _: 1, alter=deposit)


async def test_deposits_are_read_from_the_logs() -> None:
    deposit = b"".join(bytes([number]) * size for number, size in enumerate((48, 32, 8, 96, 8), 1))
    block = with_deposit(deposit)
    outcome = await at_3(block.node(), block.hash, chain_id=1)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 3), outcome
    for other in (b"", deposit + deposit):
        block = with_deposit(other)
        outcome = await at_3(block.node(), block.hash, chain_id=1)
        assert outcome.reason == "requests_not_served"
        assert "with 1 deposits" in detail(outcome, "requests_hash")


def with_uncles() -> tuple[Sealed, list[Json]]:
    uncles = [HEADER | {"number": "0xe", "extraData": f"0x0{index}"} for index in (1, 2)]
    for uncle in uncles:
        uncle["hash"] = hash_header(uncle)
    quantities = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp"}
    headers = [
        [
            int(held, 16) if name in quantities else bytes.fromhex(held[2:])
            for name, held in uncle.items()
            if name != "hash"
        ]
        for uncle in uncles
    ]
    claimed = "0x" + keccak(rlp.encode(headers)).hex()
    block = seal(sound([0]), fork="frontier", header={"sha3Uncles": claimed})
    block.block["uncles"] = [uncle["hash"] for uncle in uncles]
    return block, uncles


class WithUncles(Serving):
    uncles: list[Json | None]

    def _true(self, method: str, params: tuple[Any, ...]) -> Any:
        if method == "eth_getUncleByBlockHashAndIndex":
            return self.uncles[int(params[1], 16)]
        return super()._true(method, params)


async def test_uncles_are_asked_for_and_hashed() -> None:
    block, uncles = with_uncles()
    node = WithUncles(block)
    node.uncles = [*uncles]
    assert (await at_3(node, block.hash)).level == 3
    node.uncles = [uncles[0], uncles[1] | {"gasUsed": "0x1"}]
    assert (await at_3(node, block.hash)).reason == "uncles_hash_mismatch"
    node.uncles = [uncles[0], None]
    assert (await at_3(node, block.hash)).reason == "uncles_not_served"
    node.uncles = [uncles[0], uncles[1] | {"gasUsed": "much"}]
    assert (await at_3(node, block.hash)).reason == "malformed_answer"
    node.uncles = [*uncles]
    node.told["eth_getBlockByHash"] = lambda told: (
        told | {"uncles": told["uncles"] and [TO.ljust(66, "0"), uncles[1]["hash"]]}
    )
    assert (await at_3(node, block.hash)).reason == "uncles_hash_mismatch"
    node.told.clear()
    node.refused["eth_getUncleByBlockHashAndIndex"] = -32601
    assert (await at_3(node, block.hash)).reason == "uncles_not_served"


def put_in_block(told: Json, *, path: tuple[Any, ...], held: str) -> Any:
    return told if told["number"] == "0xf" else put(told, path, held)


async def test_every_field_that_is_changed_is_caught() -> None:
    block = seal(sound([0, 2, 3]), withdrawals=[WITHDRAWAL])
    uncommitted = {("size",), ("totalDifficulty",)}
    changes = 0
    for path, held in leaves(block.block):
        if path in uncommitted:
            continue
        node = block.node()
        node.told["eth_getBlockByHash"] = partial(put_in_block, path=path, held=flip(held))
        outcome = await at_3(node, block.hash)
        assert outcome.verdict is not Verdict.VALID, path
        changes += 1
    assert changes > 80
