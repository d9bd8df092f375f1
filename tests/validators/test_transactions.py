"""What becomes of a transaction: valid to its level, and each way not to be."""

import json

import pytest

from tests.validators.oracle import rehashed
from tests.validators.world import (
    CHAIN_ID,
    KEY,
    OTHER_KEY,
    TO,
    Json,
    Node,
    detail,
    receipt_of,
    signed,
    statuses,
    unsigned,
    validate_tx,
)
from validation.checkpoint import Checkpoint
from validation.subjects import parse_subject
from validation.validators import CHECKS, Grounds, Verdict, validate

TYPES = [0, 1, 2, 3, 4]
ORDER = int("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)


def creation(number: int) -> Json:
    fields = unsigned(number)
    del fields["to"]
    return signed(number, fields)


def unprotected() -> Json:
    """A transaction from before EIP-155: no chain id is signed, v is 27 or 28."""
    fields = unsigned(0)
    del fields["chainId"]
    return signed(0, fields)


@pytest.mark.parametrize("number", TYPES)
async def test_every_type_is_valid_at_level_2(number: int) -> None:
    tx = signed(number)
    outcome = await validate_tx(tx, receipt_of(tx))
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 2, "ok")
    assert set(statuses(outcome).values()) == {"pass"}
    assert {"hash", "signature", "sender", "chain_id", "receipt"} <= set(statuses(outcome))
    assert outcome.node == "node-1"


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_creation_is_valid_with_the_derived_address(number: int) -> None:
    tx = creation(number)
    assert (await validate_tx(tx, receipt_of(tx))).verdict is Verdict.VALID
    lie = receipt_of(tx) | {"contractAddress": TO}
    outcome = await validate_tx(tx, lie)
    assert (outcome.verdict, outcome.level) == (Verdict.INVALID, 1)
    assert outcome.reason == "contract_address_mismatch"


async def test_a_creation_that_failed_may_name_no_contract() -> None:
    tx = creation(2)
    failed = receipt_of(tx, logs=0) | {"contractAddress": None, "status": "0x0"}
    assert (await validate_tx(tx, failed)).verdict is Verdict.VALID
    succeeded = failed | {"status": "0x1"}
    assert (await validate_tx(tx, succeeded)).verdict is Verdict.INVALID


@pytest.mark.parametrize("level", [0, 1, 2])
async def test_only_checks_up_to_the_level_asked_are_made(level: int) -> None:
    tx = signed(2)
    outcome = await validate_tx(tx, receipt_of(tx), level=level)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, level)
    assert {CHECKS[check.name].level for check in outcome.checks} == set(range(level + 1))


async def test_one_round_trip() -> None:
    tx = signed(2)
    node = Node({"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": receipt_of(tx)})
    subject = parse_subject(tx["hash"])
    await validate(subject, level=2, fetcher=node, chain_id=None)
    [calls] = node.asked
    assert [call.method for call in calls] == [
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
    ]
    assert [call.params for call in calls] == [(tx["hash"],), (tx["hash"],)]


async def test_null_is_not_found() -> None:
    outcome = await validate_tx(None, None)
    assert (outcome.verdict, outcome.level, outcome.reason) == (
        Verdict.NOT_FOUND,
        0,
        "not_found",
    )


async def test_a_receipt_without_a_transaction_is_unverifiable() -> None:
    tx = signed(2)
    outcome = await validate_tx(None, receipt_of(tx), asked=tx["hash"])
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "answers_disagree")


@pytest.mark.parametrize("level", [1, 2])
async def test_a_pending_transaction_is_unverifiable(level: int) -> None:
    nowhere = dict.fromkeys(("blockHash", "blockNumber", "transactionIndex"))
    outcome = await validate_tx(signed(2) | nowhere, None, level=level)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "pending")
    assert statuses(outcome)["mined"] == "skip"


async def test_a_pending_transaction_that_is_forged_is_invalid() -> None:
    nowhere = dict.fromkeys(("blockHash", "blockNumber", "transactionIndex"))
    outcome = await validate_tx(signed(2) | nowhere | {"value": "0x1"}, None)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "hash_mismatch")


async def test_a_mined_transaction_without_receipt_is_unverifiable() -> None:
    outcome = await validate_tx(signed(2), None)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "receipt_missing")


async def test_another_transaction_is_no_answer() -> None:
    tx = signed(2)
    outcome = await validate_tx(tx, receipt_of(tx), asked="0x" + "00" * 32)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.INVALID, 0, "other_item")
    assert tx["hash"] in detail(outcome, "asked")


async def test_the_receipt_of_another_transaction_is_caught_at_level_1() -> None:
    other = receipt_of(signed(2, key=OTHER_KEY))
    outcome = await validate_tx(signed(2), other, level=1)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "other_item")


async def test_a_forged_sender_is_told_with_both_addresses() -> None:
    tx = signed(2)
    forged = tx | {"from": TO}
    outcome = await validate_tx(forged, receipt_of(forged))
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "sender_mismatch")
    assert tx["from"] in detail(outcome, "sender")
    assert TO in detail(outcome, "sender")


@pytest.mark.parametrize("number", TYPES)
async def test_the_other_signature_of_the_same_key_has_a_high_s(number: int) -> None:
    """The twin of a signature recovers the same sender, but no chain takes it since Homestead."""
    tx = signed(number)
    twin = rehashed(tx, s=ORDER - int(tx["s"], 16), flip=True)
    outcome = await validate_tx(twin, receipt_of(twin))
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "bad_signature")
    assert "upper half" in detail(outcome, "signature")
    assert statuses(outcome)["hash"] == "pass"


async def test_a_frontier_transaction_may_have_a_high_s() -> None:
    tx = unprotected()
    twin = rehashed(tx, s=ORDER - int(tx["s"], 16), flip=True)
    receipt = receipt_of(twin)
    assert (await validate_tx(twin, receipt, chain_id=1)).verdict is Verdict.VALID
    assert (await validate_tx(twin, receipt, chain_id=5)).reason == "bad_signature"


@pytest.mark.parametrize("field", ["r", "s"])
async def test_a_zero_signature_is_no_signature(field: str) -> None:
    tx = signed(2) | {field: "0x0"}
    outcome = await validate_tx(tx, receipt_of(tx))
    assert outcome.verdict is Verdict.INVALID
    assert statuses(outcome)["signature"] == "fail"


async def test_v_and_y_parity_must_agree() -> None:
    tx = signed(2)
    torn = tx | {"v": "0x0" if tx["v"] == "0x1" else "0x1"}
    outcome = await validate_tx(torn, receipt_of(torn))
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "bad_signature")


@pytest.mark.parametrize("lacks", ["v", "yParity"])
async def test_either_of_v_and_y_parity_will_do(lacks: str) -> None:
    tx = signed(2)
    del tx[lacks]
    assert (await validate_tx(tx, receipt_of(tx))).verdict is Verdict.VALID


@pytest.mark.parametrize("number", TYPES)
async def test_another_chain_than_configured_is_invalid(number: int) -> None:
    tx = signed(number)
    outcome = await validate_tx(tx, receipt_of(tx), chain_id=1)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "chain_id_mismatch")
    assert str(CHAIN_ID) in detail(outcome, "chain_id")


async def test_a_chain_id_named_beside_v_must_be_the_one_in_v() -> None:
    tx = signed(0) | {"chainId": "0x5"}
    outcome = await validate_tx(tx, receipt_of(tx), chain_id=None)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "chain_id_mismatch")


async def test_before_eip155_no_chain_is_signed() -> None:
    tx = unprotected()
    assert (await validate_tx(tx, receipt_of(tx))).verdict is Verdict.VALID
    named = tx | {"chainId": hex(CHAIN_ID)}
    assert (await validate_tx(named, receipt_of(named))).verdict is Verdict.VALID
    unbound = await validate_tx(named, receipt_of(named), chain_id=None)
    assert (unbound.verdict, unbound.reason) == (Verdict.UNVERIFIABLE, "chain_id_unbound")


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("where", ["tx", "receipt", "log"])
async def test_an_unknown_field_is_named_and_never_valid(level: int, where: str) -> None:
    tx = signed(2)
    receipt = receipt_of(tx)
    {"tx": tx, "receipt": receipt, "log": receipt["logs"][0]}[where]["futureField"] = "0x1"
    outcome = await validate_tx(tx, receipt, level=level)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_field")
    assert "futureField" in detail(outcome, "known_fields")


async def test_with_an_unknown_field_another_hash_proves_nothing() -> None:
    tx = signed(2) | {"futureField": "0x1", "value": "0x5"}
    outcome = await validate_tx(tx, receipt_of(tx))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_field")
    assert statuses(outcome)["hash"] == "skip"


@pytest.mark.parametrize(
    ("number", "field", "held"),
    [
        (0, "maxFeePerGas", "0x1"),
        (0, "accessList", [{"address": TO, "storageKeys": []}]),
        (1, "maxPriorityFeePerGas", "0x1"),
        (2, "maxFeePerBlobGas", "0x1"),
        (3, "authorizationList", [dict.fromkeys(("chainId", "nonce", "yParity", "r", "s"), "0x1")]),
        (4, "blobVersionedHashes", ["0x" + "01" * 32]),
    ],
)
async def test_a_field_of_another_type_is_not_taken_on_trust(
    number: int, field: str, held: object
) -> None:
    if field == "authorizationList":
        held[0]["address"] = TO  # type: ignore[index]
    tx = signed(number) | {field: held}
    outcome = await validate_tx(tx, receipt_of(tx))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_field")
    assert field in detail(outcome, "known_fields")


@pytest.mark.parametrize("level", [1, 2])
async def test_an_unknown_type_is_unverifiable(level: int) -> None:
    tx = {
        "hash": "0x" + "12" * 32,
        "type": "0x7e",
        "from": TO,
        "to": TO,
        **dict.fromkeys(("nonce", "gas", "value", "gasPrice"), "0x0"),
        "blockHash": "0x" + "b0" * 32,
        "blockNumber": "0x1",
        "transactionIndex": "0x0",
    }
    outcome = await validate_tx(tx, receipt_of(tx), level=level)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 0)
    assert outcome.reason == "unknown_type"
    assert "0x7e" in detail(outcome, "known_type")


async def test_common_extras_of_nodes_do_no_harm() -> None:
    tx = signed(0) | {"blockTimestamp": "0x5", "accessList": None, "maxFeePerGas": None}
    receipt = receipt_of(tx)
    receipt["logs"][0]["blockTimestamp"] = "0x5"
    assert (await validate_tx(tx, receipt)).verdict is Verdict.VALID


async def test_hex_in_capitals_is_the_same_hex() -> None:
    tx = signed(2)
    receipt = receipt_of(tx)
    loud = {
        name: "0x" + held[2:].upper() if isinstance(held, str) else held
        for name, held in tx.items()
    }
    assert (await validate_tx(loud, receipt, asked=tx["hash"])).verdict is Verdict.VALID


async def test_an_old_node_without_type_means_type_0() -> None:
    tx = signed(0)
    receipt = receipt_of(tx)
    del tx["type"], receipt["type"], receipt["effectiveGasPrice"]
    assert (await validate_tx(tx, receipt)).verdict is Verdict.VALID


async def test_a_receipt_from_before_byzantium_has_a_root() -> None:
    tx = unprotected()
    receipt = receipt_of(tx) | {"root": "0x" + "0c" * 32}
    del receipt["status"]
    assert (await validate_tx(tx, receipt)).verdict is Verdict.VALID


@pytest.mark.parametrize("answer", ["tx", "receipt"])
@pytest.mark.parametrize("level", [0, 1, 2])
async def test_a_malformed_answer_is_the_nodes_error(answer: str, level: int) -> None:
    tx = signed(2)
    receipt = receipt_of(tx)
    {"tx": tx, "receipt": receipt}[answer]["blockNumber"] = "sixteen"
    outcome = await validate_tx(tx, receipt, level=level)
    assert (outcome.verdict, outcome.level) == (Verdict.ERROR, 0)
    assert outcome.reason == "malformed_answer"
    assert statuses(outcome)["well_formed"] == "fail"
    assert "blockNumber is 'sixteen'" in detail(outcome, "well_formed")


async def test_a_key_given_twice_is_malformed() -> None:
    tx = signed(2)
    doubled = json.dumps(tx)[:-1] + f', "value": "{tx["value"]}"}}'
    outcome = await validate_tx(doubled.encode(), receipt_of(tx), asked=tx["hash"])
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")
    assert "twice" in detail(outcome, "well_formed")


async def test_a_reorganisation_between_two_answers_is_asked_again() -> None:
    tx = signed(2)
    moved = tx | {"blockHash": "0x" + "b1" * 32}
    answers = {"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": receipt_of(moved)}
    node = Node(dict(answers))
    node.between = lambda held: held.update(eth_getTransactionByHash=moved)
    subject = parse_subject(tx["hash"])
    outcome = await validate(subject, level=2, fetcher=node, chain_id=None)
    assert outcome.verdict is Verdict.VALID
    assert len(node.asked) == 2
    liar = Node(answers)
    outcome = await validate(subject, level=2, fetcher=liar, chain_id=None)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "receipt_block_mismatch")
    assert len(liar.asked) == 2


@pytest.mark.parametrize("trusted", [None, 15, 16])
async def test_two_blocks_at_the_end_of_the_chain_accuse_nobody(trusted: int | None) -> None:
    """Behind one address there may be two nodes, on two forks; what is trusted has no two."""
    tx = signed(2)
    other = receipt_of(tx | {"blockHash": "0x" + "b1" * 32})
    node = Node({"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": other})
    checkpoint = None if trusted is None else Checkpoint(trusted, "0x" + "cc" * 32)
    grounds = Grounds(chain_id=CHAIN_ID, checkpoint=checkpoint)
    outcome = await validate(parse_subject(tx["hash"]), level=2, fetcher=node, grounds=grounds)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "receipt_block_mismatch")
    assert bool(outcome.caught) == (trusted == 16)


def test_the_world_signs_with_the_key_it_says() -> None:
    assert signed(0, key=KEY)["from"] != signed(0, key=OTHER_KEY)["from"]


async def test_a_known_type_made_unknown_is_unverifiable() -> None:
    tx = signed(2)
    outcome = await validate_tx(tx | {"type": "0x7e"}, receipt_of(tx))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "unknown_type")


@pytest.mark.parametrize(
    ("chain_id", "verdict", "reason"),
    [(31337, Verdict.UNVERIFIABLE, "unsigned"), (1, Verdict.INVALID, "hash_mismatch")],
)
async def test_only_development_nodes_may_leave_a_signature_blank(
    chain_id: int, verdict: Verdict, reason: str
) -> None:
    tx = signed(2) | {"r": "0x0", "s": "0x0"}
    outcome = await validate_tx(tx, receipt_of(tx), chain_id=chain_id)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert bool(outcome.caught) == (verdict is Verdict.INVALID)


@pytest.mark.parametrize(
    ("chain_id", "verdict", "reason"),
    [
        (10, Verdict.UNVERIFIABLE, "unknown_rules"),
        (None, Verdict.UNVERIFIABLE, "unknown_rules"),
        (CHAIN_ID, Verdict.INVALID, "gas_impossible"),
    ],
)
async def test_other_chains_may_count_other_things_as_the_gas_of_blobs(
    chain_id: int | None, verdict: Verdict, reason: str
) -> None:
    fields = unsigned(2) | {"chainId": chain_id or CHAIN_ID}
    tx = signed(2, fields)
    outcome = await validate_tx(tx, receipt_of(tx) | {"blobGasUsed": "0x1234"}, chain_id=chain_id)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert bool(outcome.caught) == (verdict is Verdict.INVALID)


async def test_a_price_left_at_its_ceiling_is_no_lie() -> None:
    tx = signed(2)
    left = tx | {"gasPrice": tx["maxFeePerGas"]}
    assert (await validate_tx(left, receipt_of(tx), level=2)).verdict is Verdict.VALID
    beyond = tx | {"gasPrice": hex(int(tx["maxFeePerGas"], 16) + 1)}
    assert (await validate_tx(beyond, receipt_of(tx), level=2)).reason == "gas_price_impossible"
