"""The head: the newest block of the node, as the block it is."""

import pytest

from tests.validators.sealed import Sealed, Serving, seal, sound
from tests.validators.world import CHAIN_ID, Json, Node, block_of, detail, signed, statuses
from validation.subjects import parse_subject
from validation.validators import BlockRef, Grounds, Outcome, Verdict, validate


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return seal(sound([0, 2, 3]))


async def validate_head(block: Json | None, *, level: int | None = 1) -> Outcome:
    node = Node({"eth_getBlockByNumber": block})
    return await validate(parse_subject("head"), level=level, fetcher=node, chain_id=1)


async def validate_at(node: Serving, level: int | None) -> Outcome:
    return await validate(parse_subject("head"), level=level, fetcher=node, chain_id=CHAIN_ID)


def lean(block: Json) -> Json:
    return block | {"transactions": [tx["hash"] for tx in block["transactions"]]}


async def test_it_is_valid_as_the_block_it_is(sealed: Sealed) -> None:
    node = sealed.node()
    outcome = await validate_at(node, None)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 3, "ok"), outcome
    assert outcome.block == BlockRef(number=16, hash=sealed.hash)
    assert {"header_hash", "senders", "receipts_root", "parent"} <= set(statuses(outcome))


async def test_at_level_1_only_its_header_is_asked_for_and_hashed() -> None:
    outcome = await validate_head(lean(block_of([signed(2)])))
    assert (outcome.verdict, outcome.level, outcome.subject) == (Verdict.VALID, 1, "head")
    assert statuses(outcome)["header_hash"] == "pass"


async def test_a_forged_head_is_invalid() -> None:
    outcome = await validate_head(lean(block_of([])) | {"timestamp": "0x1"})
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "header_hash_mismatch")


async def test_a_forged_transaction_in_it_is_caught(sealed: Sealed) -> None:
    node = sealed.node()

    def forge(block: Json) -> Json:
        block["transactions"][1]["value"] = "0x1"
        return block

    node.told["eth_getBlockByHash"] = forge
    outcome = await validate_at(node, 2)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "transactions_mismatch")


async def test_one_that_is_gone_when_it_is_asked_for_whole_is_unverifiable(
    sealed: Sealed,
) -> None:
    node = sealed.node()
    node.told["eth_getBlockByHash"] = lambda _: None
    outcome = await validate_at(node, None)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1)
    assert outcome.reason == "block_not_served"
    assert statuses(outcome)["header_hash"] == "pass"


async def test_a_head_with_an_unknown_field_is_unverifiable() -> None:
    outcome = await validate_head(lean(block_of([])) | {"slotNumber": "0x1"})
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 0)
    assert outcome.reason == "unknown_field"


@pytest.mark.parametrize("level", [0, 1, 3])
async def test_a_node_without_a_head_errs(level: int) -> None:
    outcome = await validate_head(None, level=level)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")
    assert "null" in detail(outcome, "well_formed")


async def test_level_5_takes_time_that_the_head_has_not_had(sealed: Sealed) -> None:
    grounds = Grounds(chain_id=CHAIN_ID)
    node = sealed.node()
    outcome = await validate(parse_subject("head"), level=5, fetcher=node, grounds=grounds)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 3)
    assert outcome.reason == "no_checkpoint"


@pytest.mark.parametrize("name", ["stateRoot", "gasUsed", "timestamp", "transactions"])
async def test_what_was_said_of_it_at_first_must_be_true_too(sealed: Sealed, name: str) -> None:
    lies = {"stateRoot": "0x" + "44" * 32, "transactions": ["0x" + "44" * 32]}
    node = sealed.node()
    node.told["eth_getBlockByNumber"] = lambda told: told | {name: lies.get(name, "0x7")}
    outcome = await validate_at(node, 3)
    check = "positions" if name == "transactions" else "header_hash"
    assert (outcome.verdict, statuses(outcome)[check]) == (Verdict.INVALID, "fail")
    assert isinstance(outcome.caught, tuple)
