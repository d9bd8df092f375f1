"""What was linked, or shown not to be, is shown again with no network."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from msgspec import UNSET

from tests.devnode.conftest import chain
from tests.engine.world import World
from validation import evidence
from validation.checkpoint import Checkpoint
from validation.devnode import packaged
from validation.devnode.chain import Chain
from validation.engine import Engine
from validation.keeping import Keeping
from validation.lineage import lineage_to
from validation.subjects import parse_subject
from validation.validators import Grounds, Heard, Outcome, Verdict, validate

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


@pytest.fixture
def shared(chain: Chain) -> tuple[World, Grounds]:
    """An engine's world, in which an item was linked to the checkpoint before."""
    world, checkpoint = World(chain, ("a", "b")), Checkpoint(5, chain.blocks[5])
    grounds = Grounds(
        chain_id=chain.chain_id, checkpoint=checkpoint, lineage=lineage_to(checkpoint), others=world
    )
    for earlier in ("block:90", "block:1"):
        asyncio.run(validate(parse_subject(earlier), level=4, fetcher=world, grounds=grounds))
    return world, grounds


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("subject", ["block:90", "block:60", "block:2", "block:5", "block:6"])
def test_headers_that_an_earlier_item_asked_for_are_missed_and_asked_for_again(
    shared: tuple[World, Grounds], subject: str, level: int
) -> None:
    world, grounds = shared
    item, heard = parse_subject(subject), []  # type: ignore[var-annotated]
    outcome = asyncio.run(
        validate(item, level=level, fetcher=world, grounds=grounds, heard=heard, explain=True)
    )
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, level)

    def packed(told: Sequence[Heard]) -> bytes:
        return evidence.pack(
            item, level=level, outcome=outcome, heard=told, grounds=grounds, made_at=time.time()
        )

    if subject in {"block:90", "block:60"}:
        with pytest.raises(evidence.Incomplete, match="asked for earlier"):
            packed(heard)
    whole = asyncio.run(evidence.completed(outcome, heard, fetcher=world, grounds=grounds))
    finding = evidence.verify(evidence.document(packed(whole)))
    assert finding.differences == ()
    assert finding.outcome.level == level


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("shown", [512, 0])
def test_an_accusation_kept_by_a_worker_holds_the_headers_that_show_it_or_is_not_kept(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, level: int, shown: int
) -> None:
    monkeypatch.setattr("validation.lineage.lineage._SHOWN_LINKS", shown)
    world, checkpoint = World(chain, ("a", "b")), Checkpoint(5, "0x" + "cc" * 32)
    grounds = Grounds(
        chain_id=chain.chain_id, checkpoint=checkpoint, lineage=lineage_to(checkpoint), others=world
    )
    engine = Engine(client=world, fetcher=world, grounds=grounds)  # type: ignore[arg-type]
    subjects = ["block:30", f"tx:{chain.transactions[40]}", "block:3"]
    outcomes = asyncio.run(engine.validate_many(subjects, level=level, keeping=Keeping()))
    assert {outcome.reason for outcome in outcomes} == {"not_anchored"}
    kept = [outcome.bundle for outcome in outcomes if outcome.bundle is not UNSET]
    assert len(kept) == (len(subjects) if shown else 0)
    for packed in kept:
        finding = evidence.verify(evidence.document(packed))
        assert finding.differences == ()
        assert finding.outcome.verdict is Verdict.INVALID
