"""What the release brings as evidence is borne out by its raw blocks, and told as it is."""

from typing import Any

import msgspec
import pytest

from console.experiments import shipped, standing
from console.experiments.claims import Claim, claims
from console.experiments.judging import Block, find
from console.experiments.models import Experiment
from console.roadmap.effects import LEAST_PAIRS
from tests.experiments import table

EVERY = sorted(path.stem for path in shipped.FOLDER.glob("*.json"))


def blocks_of(experiment: Experiment) -> list[Block]:
    told: list[dict[str, Any]] = shipped.blocks(experiment)
    names = ("pair", "kind", "side", "variant", "figures")
    return [Block(**{name: block[name] for name in names}) for block in told]


def test_every_claim_is_measured_as_it_stands_today() -> None:
    """Whoever changes a claim measures it again: evidence of another says nothing."""
    told = shipped.rows()
    assert set(told) == set(claims())
    for key, experiment in told.items():
        assert standing.is_of(claims()[key], experiment), key
    assert len({name for claim in claims().values() for name in claim.optimisations}) >= 12


@pytest.mark.parametrize("key", EVERY)
def test_the_raw_blocks_bear_the_verdict_out(key: str) -> None:
    experiment = shipped.rows()[key]
    claim = msgspec.convert(experiment.claimed, Claim)
    blocks = blocks_of(experiment)
    assert len(blocks) == 4 * experiment.pairs >= 4 * LEAST_PAIRS
    finding = find(claim, blocks, seed=experiment.seed)
    assert finding.judged.verdict == experiment.verdict
    for part in ("effect", "noise"):
        for figure in ("estimate", "low", "high"):
            measured, kept = finding.found[part][figure], experiment.found[part][figure]
            assert measured == pytest.approx(kept, rel=1e-3, abs=1e-4), (part, figure)


@pytest.mark.parametrize("key", EVERY)
def test_it_says_where_when_and_of_what(key: str) -> None:
    experiment = shipped.rows()[key]
    assert {"processor", "processors", "python", "load"} <= set(experiment.machine)
    assert experiment.code_revision
    assert experiment.began_at is not None
    assert experiment.why


def test_the_document_is_what_is_shipped() -> None:
    assert table.PLACE.read_text(encoding="utf-8") == table.written(), f"renew it: {table.RENEW}"
