"""Level 3 of a transaction: it and its receipt are what their block commits to."""

import copy
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.validators.sealed import (
    GENESIS_TIME,
    Sealed,
    Serving,
    receipt_value,
    root_of,
    seal,
    sound,
)
from tests.validators.world import CHAIN_ID, FORKS, TO, Json, detail, signed, statuses, unsigned
from validation.subjects import Kind, parse_subject
from validation.validators import (
    CHECKS,
    Grounds,
    Outcome,
    Verdict,
    before_byzantium,
    transactions,
    validate,
)
from validation.validators.findings import Findings
from validation.validators.registry import KINDS as KINDS_OF_ITEM

KINDS: list[int | str] = [0, 1, 2, 3, 4, "creation"]
ABOVE = {
    "block_header", "in_block", "receipt_in_block", "receipt_same",
    "gas_used", "gas_price_derived", "log_positions",
}  # fmt: skip


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return seal(sound(KINDS))


async def validate_at(
    node: Serving, tx: Json, *, level: int | None = 3, chain_id: int | None = CHAIN_ID
) -> Outcome:
    subject = parse_subject(f"tx:{tx['hash']}")
    return await validate(subject, level=level, fetcher=node, chain_id=chain_id)


@pytest.mark.parametrize("index", range(len(KINDS)))
async def test_every_type_is_valid_in_its_block(sealed: Sealed, index: int) -> None:
    node = sealed.node()
    outcome = await validate_at(node, sealed.block["transactions"][index], level=None)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 3, "ok"), outcome
    assert {name for name in statuses(outcome) if CHECKS[name].level == 3} == ABOVE
    assert node.methods() == [
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
    ]
    assert len(node.asked) == 2


@pytest.mark.parametrize("fork", FORKS)
async def test_it_is_valid_in_blocks_of_every_fork(fork: str) -> None:
    has_fees = fork != "frontier"
    block = seal(sound([0, 1, *([2] if has_fees else [])]), fork=fork)
    for tx in block.block["transactions"]:
        assert (await validate_at(block.node(), tx)).level == 3


async def test_receipts_from_before_byzantium_are_under_the_root_too() -> None:
    block = seal(sound([0, 0]), fork="frontier", by_root=True)
    tx = block.block["transactions"][1]
    assert (await validate_at(block.node(), tx)).level == 3
    node = block.node()
    node.told["eth_getTransactionReceipt"] = lambda told: told | {"root": "0x" + "0c" * 32}
    outcome = await validate_at(node, tx)
    assert outcome.reason == "receipt_not_in_block"
    # What a node knows of the status of such a transaction, no root commits to.
    node = block.node()
    node.told["eth_getTransactionReceipt"] = lambda told: told | {"status": "0x1"}
    outcome = await validate_at(node, tx)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
    assert outcome.reason == "unknown_rules"


def without_root(told: Any) -> Any:
    for receipt in told if isinstance(told, list) else [told]:
        del receipt["root"]
        receipt["status"] = "0x1"
    return told


@pytest.mark.parametrize("whose", ["eth_getBlockReceipts", "eth_getTransactionReceipt"])
async def test_a_node_that_keeps_no_roots_from_before_byzantium_is_no_liar(whose: str) -> None:
    block = seal(sound([0, 0]), fork="frontier", by_root=True)
    tx = block.block["transactions"][1]
    node = block.node()
    node.told[whose] = without_root
    outcome = await validate_at(node, tx)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2), outcome
    assert outcome.reason == "receipts_not_served"
    said = next(each.detail for each in outcome.checks if each.status == "skip")
    assert "node-1 gives no state roots in the receipts of block 16" in said
    assert not outcome.caught
    # What the receipt says beside it is held against what the roots commit to all the same.
    if whose == "eth_getTransactionReceipt":
        node.told[whose] = lambda told: without_root(told) | {"cumulativeGasUsed": "0xffff0"}
        assert (await validate_at(node, tx)).reason == "receipt_not_in_block"


async def test_a_block_whose_receipts_have_no_roots_is_unverifiable() -> None:
    block = seal(sound([0, 0]), fork="frontier", by_root=True)
    node = block.node()
    node.told["eth_getBlockReceipts"] = without_root
    outcome = await validate(
        parse_subject(f"block:{block.hash}"), level=3, fetcher=node, chain_id=CHAIN_ID
    )
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "receipts_not_served")
    assert not outcome.caught


@pytest.mark.parametrize(
    ("chain_id", "number", "fork", "is_possible"),
    [
        (1, 4_369_999, "frontier", True),
        (1, 4_370_000, "frontier", False),
        (5, 4_370_000, "frontier", True),
        (5, 1, "london", False),
    ],
)
def test_when_a_block_may_be_from_before_byzantium(
    chain_id: int, number: int, fork: str, is_possible: bool
) -> None:
    header: Any = SimpleNamespace(
        number=hex(number),
        difficulty="0x1",
        base_fee_per_gas="0x7" if fork == "london" else msgspec.UNSET,
    )
    assert before_byzantium.is_possible(header, chain_id) == is_possible


async def test_hex_in_capitals_is_the_same(sealed: Sealed) -> None:
    node = sealed.node()
    node.told["eth_getTransactionReceipt"] = capitals
    assert (await validate_at(node, sealed.block["transactions"][2])).level == 3


def capitals(told: Any) -> Any:
    if isinstance(told, str) and told.startswith("0x"):
        return "0x" + told[2:].upper()
    if isinstance(told, dict):
        return {name: capitals(held) for name, held in told.items()}
    return [capitals(held) for held in told] if isinstance(told, list) else told


def of_receipt(**changed: object) -> dict[str, Callable[[Any], Any]]:
    return {"eth_getTransactionReceipt": lambda told: told | changed}


def of_log(**changed: object) -> dict[str, Callable[[Any], Any]]:
    def change(told: Any) -> Any:
        told["logs"][0] |= changed
        return told

    return {"eth_getTransactionReceipt": change}


def of_tx(**changed: object) -> dict[str, Callable[[Any], Any]]:
    return {"eth_getTransactionByHash": lambda told: told | changed}


def both(**changed: object) -> dict[str, Callable[[Any], Any]]:
    """A lie about its place, told of transaction, receipt and logs alike."""

    def change(told: Any) -> Any:
        for log in told.get("logs", ()):
            log.update(changed)
        return told | changed

    return {"eth_getTransactionByHash": change, "eth_getTransactionReceipt": change}


def shifted(told: Any) -> Any:
    for index, log in enumerate(told["logs"]):
        log["logIndex"] = hex(index + 5)
    return told


NO_LOGS = {"logs": [], "logsBloom": "0x" + "00" * 256}
OF_THE_ITEM: dict[str, tuple[dict[str, Callable[[Any], Any]], str, str]] = {
    "another status": (of_receipt(status="0x0", **NO_LOGS), "receipt_same", "status"),
    "another total": (of_receipt(cumulativeGasUsed="0xffff0"), "receipt_same", "cumulativeGas"),
    "no logs": (of_receipt(**NO_LOGS), "receipt_same", "logsBloom"),
    "another content": (of_log(data="0x02"), "receipt_same", "data of log 0"),
    "another gas": (of_receipt(gasUsed="0x5207"), "gas_used", ""),
    "logs elsewhere": ({"eth_getTransactionReceipt": shifted}, "log_positions", "first log"),
    "another time of a log": (of_log(blockTimestamp="0x1"), "log_positions", "blockTimestamp"),
    "another time": (of_tx(blockTimestamp=17), "log_positions", "blockTimestamp"),
    "another position": (both(transactionIndex="0x1"), "in_block", "at position 1"),
    "beyond the block": (both(transactionIndex="0x99"), "in_block", "holds 6"),
    "another number": (both(blockNumber="0x11"), "in_block", "blockNumber"),
}


@pytest.mark.parametrize("lie", OF_THE_ITEM)
async def test_a_lie_about_the_item_is_caught_and_its_node_blamed(sealed: Sealed, lie: str) -> None:
    told, check, said = OF_THE_ITEM[lie]
    node = sealed.node()
    node.told = told
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.level) == (Verdict.INVALID, 2), outcome
    failed = next(each for each in outcome.checks if each.status == "fail")
    assert failed.name == check
    assert outcome.reason == CHECKS[check].reason
    assert said in failed.detail
    assert failed.computed
    assert failed.claimed
    assert failed.computed != failed.claimed
    if "time" in lie:  # which no root holds, and honest nodes have got wrong
        assert not outcome.caught
        return
    assert isinstance(outcome.caught, tuple)
    assert {(each.node, each.check) for each in outcome.caught} >= {("node-1", check)}


@pytest.mark.parametrize("none", ["0x0", 0])
async def test_logs_without_a_time_are_no_lie(none: object) -> None:
    """Some releases of geth give the logs of some receipts a time of 0."""
    block = seal(sound(KINDS))
    for receipt in block.receipts:
        for log in receipt["logs"]:
            log["blockTimestamp"] = none
    for tx in block.block["transactions"]:
        assert (await validate_at(block.node(), tx)).level == 3
    subject = parse_subject(f"block:{block.hash}")
    grounds = Grounds(chain_id=CHAIN_ID, now=lambda: GENESIS_TIME + 60.0)
    outcome = await validate(subject, level=3, fetcher=block.node(), grounds=grounds)
    assert outcome.verdict is Verdict.VALID, outcome


async def test_a_price_of_blobs_that_no_known_rules_make_is_unverifiable(sealed: Sealed) -> None:
    node = sealed.node()
    node.told = of_receipt(blobGasPrice="0x2")
    outcome = await validate_at(node, sealed.block["transactions"][3])
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_rules")
    assert "computed 1, the node says 2" in detail(outcome, "gas_price_derived")


async def test_a_price_that_level_2_allows_is_derived(sealed: Sealed) -> None:
    """Between the limits of the transaction, but not what the block's base fee makes it."""
    node = sealed.node()
    wrong = {"effectiveGasPrice": hex(1_900_000_000)}
    node.told = of_receipt(**wrong) | of_tx(gasPrice=hex(1_900_000_000))
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "gas_price_mismatch")
    assert "computed 1800000000" in detail(outcome, "gas_price_derived")


def body(change: Callable[[Json], object]) -> dict[str, Callable[[Any], Any]]:
    def told(answer: Any) -> Any:
        change(answer)
        return answer

    return {"eth_getBlockByHash": told}


def receipts(change: Callable[[list[Json]], object]) -> dict[str, Callable[[Any], Any]]:
    def told(answer: Any) -> Any:
        change(answer)
        return answer

    return {"eth_getBlockReceipts": told}


OF_THE_EVIDENCE = {
    "a header that hashes to something else": (
        body(lambda block: block.update(gasUsed="0x1")), "block_header",
    ),
    "a dropped transaction": (body(lambda block: block["transactions"].pop(0)), "in_block"),
    "transactions in another order": (
        body(lambda block: block["transactions"].reverse()), "in_block",
    ),
    "a dropped receipt": (receipts(lambda told: told.pop()), "receipt_in_block"),
    "receipts in another order": (receipts(lambda told: told.reverse()), "receipt_in_block"),
    "another status": (receipts(lambda told: told[0].update(status="0x0")), "receipt_in_block"),
}  # fmt: skip


@pytest.mark.parametrize("lie", OF_THE_EVIDENCE)
async def test_a_lie_about_the_block_is_caught(sealed: Sealed, lie: str) -> None:
    told, check = OF_THE_EVIDENCE[lie]
    node = sealed.node()
    node.told = told
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.level) == (Verdict.INVALID, 2)
    assert statuses(outcome)[check] == "fail"
    assert isinstance(outcome.caught, tuple)
    assert outcome.caught[0].check == check


async def test_the_node_that_gave_the_block_is_blamed_for_it(sealed: Sealed) -> None:
    """Two nodes behind one fetcher: the one that gave the item told the truth."""
    honest, liar = sealed.node(), Serving(sealed, label="node-2")
    liar.told = OF_THE_EVIDENCE["a dropped receipt"][0]

    class Both:
        async def fetch(self, calls: Any, **options: Any) -> Any:
            is_evidence = len(calls) == 2 and calls[1].method == "eth_getBlockReceipts"
            return await (liar if is_evidence else honest).fetch(calls, **options)

    tx = sealed.block["transactions"][2]
    outcome = await validate(parse_subject(tx["hash"]), level=3, fetcher=Both(), chain_id=CHAIN_ID)
    assert outcome.node == "node-1"
    assert isinstance(outcome.caught, tuple)
    assert [each.node for each in outcome.caught] == ["node-2"]


async def test_where_the_rules_are_not_known_nobody_is_accused(sealed: Sealed) -> None:
    node = sealed.node()
    node.told = of_receipt(gasUsed="0x5207")
    outcome = await validate_at(node, sealed.block["transactions"][2], chain_id=None)
    assert outcome.verdict is Verdict.INVALID
    assert not outcome.caught


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"eth_getBlockByHash": lambda _: None}, "block_not_served"),
        ({"eth_getBlockReceipts": lambda _: None}, "receipts_not_served"),
        ({"eth_getBlockReceipts": lambda _: []}, "receipts_not_served"),
    ],
)
async def test_a_block_that_the_node_does_not_have_is_no_lie(
    sealed: Sealed, told: Any, reason: str
) -> None:
    node = sealed.node()
    node.told = told
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
    assert outcome.reason == reason
    assert sealed.hash in detail(outcome, "block_header")


async def test_a_node_without_the_method_is_told_of(sealed: Sealed) -> None:
    node = sealed.node()
    node.refused = {"eth_getBlockReceipts": -32601}
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
    assert outcome.reason == "receipts_not_served"
    assert "no eth_getBlockReceipts here" in detail(outcome, "block_header")
    node.refused = {"eth_getBlockReceipts": -32603}  # stumbled: asking again may help
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "call_refused")


async def test_malformed_evidence_is_the_nodes_error(sealed: Sealed) -> None:
    node = sealed.node()
    node.told = receipts(lambda told: told[0].update(gasUsed="much"))
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")


async def test_a_neighbour_of_an_unknown_type_leaves_the_place_unverified(
    sealed: Sealed,
) -> None:
    node = sealed.node()
    strange = {"hash": "0x" + "12" * 32, "type": "0x7e", "from": TO, "sourceHash": "0x01"}
    node.told = body(lambda block: block["transactions"].append(strange))
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 2)
    assert outcome.reason == "unknown_type"
    assert "0x7e" in detail(outcome, "in_block")


async def test_an_unknown_field_of_the_block_excuses_what_does_not_hash(sealed: Sealed) -> None:
    node = sealed.node()
    node.told = body(lambda block: block.update(slotNumber="0x1"))
    tx = sealed.block["transactions"][2]
    assert (await validate_at(node, tx)).verdict is Verdict.VALID
    node.told = body(lambda block: block.update(slotNumber="0x1", gasUsed="0x1"))
    outcome = await validate_at(node, tx)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_field")
    assert "slotNumber" in detail(outcome, "block_header")


async def test_a_number_that_no_chain_reaches_is_not_in_the_block(sealed: Sealed) -> None:
    """It ties the verdict to no block, and is not taken for one that needs none."""
    node = sealed.node()
    node.told = both(blockNumber="0x" + "f" * 16)
    outcome = await validate_at(node, sealed.block["transactions"][2], level=4)
    assert (outcome.verdict, outcome.reason, outcome.block) == (
        Verdict.INVALID,
        "not_in_block",
        None,
    )


async def test_one_that_waits_asks_for_no_block(sealed: Sealed) -> None:
    node = sealed.node()
    waiting = {"blockHash": None, "blockNumber": None, "transactionIndex": None}
    node.told = of_tx(**waiting) | {"eth_getTransactionReceipt": lambda _: None}
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "pending")
    assert len(node.asked) == 1


@pytest.mark.parametrize("level", [0, 1, 2])
async def test_below_level_3_nothing_of_it_is_asked(sealed: Sealed, level: int) -> None:
    node = sealed.node()
    outcome = await validate_at(node, sealed.block["transactions"][2], level=level)
    assert outcome.level == level
    assert len(node.asked) == 1


async def test_what_failed_already_asks_for_no_block(sealed: Sealed) -> None:
    node = sealed.node()
    node.told = of_tx(value="0x1")
    outcome = await validate_at(node, sealed.block["transactions"][2])
    assert outcome.reason == "hash_mismatch"
    assert len(node.asked) == 1


async def test_every_field_that_is_changed_is_caught(sealed: Sealed) -> None:
    """Each in turn: at level 3 there is nothing left that only a root would tell."""
    changed = 0
    for index in range(len(KINDS)):
        tx = sealed.block["transactions"][index]
        for method, whole in (
            ("eth_getTransactionByHash", tx),
            ("eth_getTransactionReceipt", sealed.receipts[index]),
        ):
            for path, held in leaves(whole):
                node = sealed.node()
                node.told[method] = partial(put, path=path, held=flip(held))
                outcome = await validate_at(node, tx)
                assert outcome.verdict is not Verdict.VALID, (method, path)
                changed += 1
    assert changed > 200


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], str]]:
    if isinstance(tree, str):
        return [(path, tree)]
    items = tree.items() if isinstance(tree, dict) else enumerate(tree or ())
    if isinstance(tree, dict | list):
        return [leaf for name, held in items for leaf in leaves(held, (*path, name))]
    return []


def flip(held: str) -> str:
    return held[:-1] + f"{int(held[-1], 16) ^ 1:x}" if held != "0x" else "0x01"


def put(tree: Any, path: tuple[Any, ...], held: str) -> Any:
    changed = at = copy.deepcopy(tree)
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = held
    return changed


def test_what_is_sealed_is_no_work_of_the_code_under_test() -> None:
    assert signed(2, unsigned(2))["hash"] != seal(sound([2])).block["transactions"][0]["hash"]


async def test_a_block_with_fewer_receipts_than_transactions_is_not_believed() -> None:
    """Made up: its receipts root holds one receipt, and the second transaction has another."""
    full = seal(sound([2, 2]))
    made_up = seal(
        sound([2, 2]), header={"receiptsRoot": root_of([receipt_value(full.receipts[0])])}
    )
    for index in (0, 1):
        node = made_up.node()
        node.told = of_receipt(**(NO_LOGS | {"status": "0x0"} if index else {}))
        node.told["eth_getBlockReceipts"] = lambda told: told[:1]
        outcome = await validate_at(node, made_up.block["transactions"][index])
        assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "receipts_root_mismatch")
        assert "2 transactions" in detail(outcome, "receipt_in_block")
        assert isinstance(outcome.caught, tuple)


def test_a_level_is_earned_by_all_of_its_checks() -> None:
    for missing in (None, *sorted(ABOVE)):
        findings = Findings(earned_by=transactions.EARNED_BY)
        for name in ABOVE - {missing}:
            findings.passed(name)
        reached = 3 if missing is None else 2
        assert findings.verdict(asked=3, worked=3)[1] == reached, missing


@pytest.mark.parametrize("kind", KINDS_OF_ITEM)
def test_every_level_that_takes_evidence_has_its_checks(kind: Kind) -> None:
    validator = KINDS_OF_ITEM[kind]
    assert {*range(3, validator.HIGHEST_LEVEL + 1)} <= set(validator.EARNED_BY)
    for level, names in validator.EARNED_BY.items():
        assert names
        assert all(CHECKS[name].level == level or kind is Kind.ADDRESS for name in names)
