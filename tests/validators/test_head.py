"""The head: what level 1 says about the newest block, and that no more is claimed."""

import pytest

from tests.validators.world import Json, Node, block_of, detail, signed, statuses
from validation.subjects import parse_subject
from validation.validators import Outcome, Verdict, validate


async def validate_head(block: Json | None, *, level: int = 1) -> Outcome:
    node = Node({"eth_getBlockByNumber": block})
    return await validate(parse_subject("head"), level=level, fetcher=node, chain_id=1)


def lean(block: Json) -> Json:
    return block | {"transactions": [tx["hash"] for tx in block["transactions"]]}


async def test_the_head_is_valid_at_level_1_with_its_hash_recomputed() -> None:
    outcome = await validate_head(lean(block_of([signed(2)])))
    assert (outcome.verdict, outcome.level, outcome.subject) == (Verdict.VALID, 1, "head")
    assert statuses(outcome)["header_hash"] == "pass"


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
