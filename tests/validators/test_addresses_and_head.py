"""Addresses and the head: what level 1 says about them, and that no more is claimed."""

import pytest

from tests.validators.world import Json, Node, block_of, detail, signed, statuses
from validation.subjects import parse_subject
from validation.validators import Outcome, Verdict, validate

CAPITALS = "0x52908400098527886E0F7030069857D2E4169EE7"
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ACCOUNT: Json = {
    "eth_getBalance": "0xde0b6b3a7640000",
    "eth_getTransactionCount": "0x5",
    "eth_getCode": "0x6001",
}


async def validate_address(
    address: str = MIXED, *, level: int | None = None, **answers: object
) -> Outcome:
    node = Node(ACCOUNT | answers)
    subject = parse_subject(f"address:{address}")
    return await validate(subject, level=level, fetcher=node, chain_id=1)


async def validate_head(block: Json | None, *, level: int | None = None) -> Outcome:
    node = Node({"eth_getBlockByNumber": block})
    return await validate(parse_subject("head"), level=level, fetcher=node, chain_id=1)


def lean(block: Json) -> Json:
    return block | {"transactions": [tx["hash"] for tx in block["transactions"]]}


async def test_an_address_is_valid_at_level_1_in_one_round_trip() -> None:
    node = Node(ACCOUNT)
    subject = parse_subject(MIXED)
    outcome = await validate(subject, level=None, fetcher=node, chain_id=None)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 1, "ok")
    [calls] = node.asked
    assert {call.params for call in calls} == {(MIXED, "latest")}


@pytest.mark.parametrize("level", [2, 3, 5])
async def test_an_address_climbs_no_higher_without_proofs(level: int) -> None:
    outcome = await validate_address(level=level)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1)
    assert outcome.reason == "level_not_reached"


@pytest.mark.parametrize("address", [MIXED, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"])
async def test_a_right_checksum_passes(address: str) -> None:
    assert statuses(await validate_address(address))["checksum"] == "pass"


@pytest.mark.parametrize("level", [1, 2])
async def test_a_wrong_checksum_is_invalid_and_the_right_one_told(level: int) -> None:
    outcome = await validate_address("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", level=level)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.INVALID, 0, "bad_checksum")
    assert MIXED in detail(outcome, "checksum")


@pytest.mark.parametrize("address", [MIXED.lower(), "0x" + MIXED[2:].upper(), CAPITALS])
async def test_case_that_is_not_mixed_is_no_checksum(address: str) -> None:
    outcome = await validate_address(address)
    assert outcome.verdict is Verdict.VALID
    assert "checksum" not in statuses(outcome)


@pytest.mark.parametrize(
    "answer",
    [
        {"eth_getBalance": "0x01"},
        {"eth_getBalance": "0x" + "f" * 65},
        {"eth_getBalance": 5},
        {"eth_getBalance": None},
        {"eth_getTransactionCount": "0x1" + "0" * 16},
        {"eth_getTransactionCount": "-0x1"},
        {"eth_getCode": "0x1"},
        {"eth_getCode": "6001"},
        {"eth_getCode": {}},
        {"eth_getCode": b"NaN"},
    ],
)
@pytest.mark.parametrize("level", [0, 1])
async def test_a_malformed_account_is_the_nodes_error(answer: Json, level: int) -> None:
    outcome = await validate_address(level=level, **answer)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")


async def test_level_0_of_an_address_looks_at_nothing_but_the_answer() -> None:
    outcome = await validate_address("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", level=0)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 0)
    assert statuses(outcome) == {"answered": "pass"}


async def test_the_head_is_valid_at_level_1_with_its_hash_recomputed() -> None:
    outcome = await validate_head(lean(block_of([signed(2)])))
    assert (outcome.verdict, outcome.level, outcome.subject) == (Verdict.VALID, 1, "head")
    assert statuses(outcome)["header_hash"] == "pass"


async def test_the_head_climbs_no_higher() -> None:
    outcome = await validate_head(lean(block_of([])), level=2)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1)
    assert outcome.reason == "level_not_reached"


async def test_a_forged_head_is_invalid() -> None:
    outcome = await validate_head(lean(block_of([])) | {"timestamp": "0x1"})
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "header_hash_mismatch")


async def test_a_head_with_an_unknown_field_is_unverifiable() -> None:
    outcome = await validate_head(lean(block_of([])) | {"slotNumber": "0x1"})
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 0)
    assert outcome.reason == "unknown_field"


@pytest.mark.parametrize("level", [0, 1])
async def test_a_node_without_a_head_errs(level: int) -> None:
    outcome = await validate_head(None, level=level)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")
    assert "null" in detail(outcome, "well_formed")
