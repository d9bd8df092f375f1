"""What was linked, or shown not to be, is shown again with no network."""

import asyncio
import time

import pytest

from tests.devnode.conftest import chain
from tests.engine.world import World
from validation import evidence
from validation.checkpoint import Checkpoint
from validation.devnode import packaged
from validation.devnode.chain import Chain
from validation.lineage import lineage_to
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, Verdict, validate

__all__ = ["chain"]

NEWEST = Checkpoint.parse(packaged.CHECKPOINT)


def proved(
    chain: Chain, subject: str, level: int, checkpoint: Checkpoint
) -> tuple[Outcome, evidence.Finding]:
    """The outcome, and what its bundle says when it is verified."""
    world = World(chain, ("a", "b"))
    grounds = Grounds(
        chain_id=chain.chain_id,
        checkpoint=checkpoint,
        lineage=lineage_to(checkpoint),
        others=world,
    )
    item, heard = parse_subject(subject), []  # type: ignore[var-annotated]
    outcome = asyncio.run(
        validate(item, level=level, fetcher=world, grounds=grounds, heard=heard, explain=True)
    )
    packed = evidence.pack(
        item, level=level, outcome=outcome, heard=heard, grounds=grounds, made_at=time.time()
    )
    return outcome, evidence.verify(evidence.document(packed))


@pytest.mark.parametrize("level", [4, 5])
def test_what_is_linked_or_final_verifies_offline(chain: Chain, level: int) -> None:
    for subject in (f"tx:{chain.transactions[40]}", "block:3"):
        outcome, found = proved(chain, subject, level, NEWEST)
        assert (outcome.verdict, outcome.level) == (Verdict.VALID, level)
        assert found.differences == ()
        assert found.outcome.level == level


def test_an_account_linked_down_to_from_nearby_verifies_offline(chain: Chain) -> None:
    outcome, found = proved(chain, f"address:{chain.addresses[9]}", 5, NEWEST)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 5)
    assert found.differences == ()


@pytest.mark.parametrize("number", [3, 5, 9])
def test_what_is_not_linked_verifies_offline_to_be_so(chain: Chain, number: int) -> None:
    outcome, found = proved(chain, f"block:{number}", 4, Checkpoint(5, "0x" + "cc" * 32))
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "not_anchored")
    assert outcome.caught
    assert found.differences == ()
