"""What holds for every kind: errors of nodes, codes that are explained, the object of --json."""

import asyncio
import inspect
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

import validation.validators
from tests.validators.sealed import seal, sound
from tests.validators.world import KEY, Node, receipt_of, signed, validate_tx
from validation.checkpoint import Checkpoint
from validation.rpc import Call, Reply, RpcError, errors
from validation.subjects import Kind, parse_subject
from validation.validators import CHECKS, HIGHEST_LEVEL, REASONS, Grounds, Verdict, validate
from validation.validators.findings import Findings
from validation.validators.registry import default_level

SUBJECTS = ["tx:0x" + "ab" * 32, "block:5", "address:0x" + "ab" * 20, "head"]
RPC_ERRORS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, RpcError)
]


@pytest.mark.parametrize("text", SUBJECTS)
async def test_an_error_of_the_node_is_no_verdict_on_the_item(text: str) -> None:
    node = Node({}, error=errors.NodeTimeout("no answer in 5 s", node="node-2"))
    outcome = await validate(parse_subject(text), level=None, fetcher=node, chain_id=None)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.ERROR, 0, "node_timeout")
    assert (outcome.subject, outcome.node) == (text, "node-2")
    [check] = outcome.checks
    assert "no answer in 5 s" in check.detail


@pytest.mark.parametrize("text", SUBJECTS)
async def test_a_defect_here_ends_one_item_and_is_logged(text: str) -> None:
    class Broken:
        async def fetch(
            self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
        ) -> Reply:
            raise ZeroDivisionError

    with capture_logs() as logs:
        outcome = await validate(parse_subject(text), level=None, fetcher=Broken(), chain_id=None)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "internal")
    assert [entry["event"] for entry in logs] == ["validator_failed"]


async def test_cancelling_is_not_swallowed() -> None:
    class Endless:
        async def fetch(
            self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
        ) -> Reply:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    subject = parse_subject("head")
    validating = validate(subject, level=None, fetcher=Endless(), chain_id=None)
    task = asyncio.create_task(validating)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_time_is_measured_by_the_clock_given() -> None:
    ticks = iter([10.0, 10.25])
    node = Node({"eth_getBlockByNumber": None})
    outcome = await validate(
        parse_subject("block:1"),
        level=None,
        fetcher=node,
        chain_id=None,
        clock=lambda: next(ticks),
    )
    assert outcome.ms == 250.0


def test_the_highest_levels_built() -> None:
    assert HIGHEST_LEVEL == {Kind.TX: 5, Kind.BLOCK: 5, Kind.ADDRESS: 5, Kind.HEAD: 4}
    assert set(HIGHEST_LEVEL) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_what_no_level_means_is_what_can_be_settled_at_once(kind: Kind) -> None:
    """Level 4 takes a checkpoint that is trusted; level 5 takes time, and is asked for by name."""
    assert default_level(kind, Grounds()) == 3
    trusting = Grounds(checkpoint=Checkpoint(1, "0x" + "ab" * 32))
    assert default_level(kind, trusting) == 4


@pytest.mark.parametrize("kind", RPC_ERRORS)
def test_every_error_of_the_client_is_explained(kind: type[RpcError]) -> None:
    assert kind.reason in REASONS


def test_every_reason_and_check_in_the_source_is_in_its_table() -> None:
    package = Path(validation.validators.__file__).parent
    source = "\n".join(path.read_text() for path in package.glob("*.py"))
    reasons = set(re.findall(r'Ending\(\s*Verdict\.\w+,\s*"(\w+)"', source))
    skipped = re.findall(r'\.skip\(\s*("?\w+"?),\s*"(\w+)"', source)
    reasons |= {reason for _, reason in skipped}
    reasons |= set(re.findall(r'_skip_all\("(\w+)"', source))
    reasons |= set(re.findall(r'_skips\["\w+"\] = \("(\w+)"', source))
    assert {"pending", "not_found", "unknown_type", "chain_id_unbound"} <= reasons
    assert reasons <= set(REASONS)
    made = set(re.findall(r'\.(?:passed|fail|skip|settle|match)\(\s*"(\w+)"', source))
    assert "header_hash" in made
    assert made <= set(CHECKS)


def test_tables_are_whole() -> None:
    assert all(len(code) <= 40 and text.endswith(".") for code, text in REASONS.items())
    for name, check in CHECKS.items():
        assert check.states.endswith("."), name
        assert bool(check.reason) == bool(check.failure), name
        if check.reason:
            assert REASONS[check.reason] == check.failure


async def test_an_outcome_encodes_to_the_object_of_the_contract() -> None:
    tx = signed(2, key=KEY)
    outcome = await validate_tx(tx, receipt_of(tx))
    encoded = msgspec.json.decode(msgspec.json.encode(outcome))
    assert list(encoded) == [
        *("subject", "verdict", "level", "reason", "checks", "node", "ms"),
        *("source", "age_s", "block", "agreement"),
    ]
    assert encoded["subject"] == f"tx:{tx['hash']}"
    assert encoded["verdict"] == "valid"
    first = {"name": "answered", "status": "pass", "detail": "", "computed": "", "claimed": ""}
    assert encoded["checks"][0] == first


def test_a_level_is_earned_by_its_own_checks() -> None:
    """Where one was not made the level is not reached, whatever the reason was."""
    findings = Findings(earned_by={3: frozenset({"in_block", "gas_used"})})
    findings.passed("well_formed")
    assert findings.verdict(asked=2, worked=2) == (Verdict.VALID, 2, "ok")
    assert findings.verdict(asked=3, worked=3) == (
        Verdict.UNVERIFIABLE,
        2,
        "level_not_reached",
    )
    findings.passed("in_block")
    assert findings.verdict(asked=3, worked=3)[1] == 2
    findings.passed("gas_used")
    assert findings.verdict(asked=3, worked=3) == (Verdict.VALID, 3, "ok")
    assert findings.verdict(asked=3, worked=5)[1] == 3


async def test_what_is_asked_to_explain_itself_does() -> None:
    sealed = seal(sound([2]))
    subject = parse_subject(sealed.block["transactions"][0]["hash"])
    ticks = itertools.count()
    told, silent = [
        await validate(
            subject,
            level=3,
            fetcher=sealed.node(),
            chain_id=31337,
            explain=explain,
            clock=lambda: next(ticks) / 1000,
        )
        for explain in (True, False)
    ]
    assert isinstance(told.spans, tuple)
    checks = [span for span in told.spans if span.name.startswith("check:")]
    assert [span.name[6:] for span in checks] == [check.name for check in told.checks]
    assert all(span.ms > 0 for span in checks)
    assert [span.at_ms for span in checks] == sorted(span.at_ms for span in checks)
    by_name = {check.name: check for check in told.checks}
    assert by_name["gas_used"].computed == by_name["gas_used"].claimed == "21000"
    assert silent.spans is msgspec.UNSET
    assert not any(check.computed or check.claimed for check in silent.checks)


async def test_details_are_bounded() -> None:
    tx = signed(2) | {"nonce": "0x" + "f" * 100_000}
    outcome = await validate_tx(tx, receipt_of(tx))
    assert outcome.reason == "malformed_answer"
    assert all(len(check.detail) <= 400 for check in outcome.checks)
