"""A bundle holds all that a verdict rests on, and verifies without a network."""

import json

import pytest

from tests.evidence.worlds import MADE_AT, ChainNode, checkpoint, grounds, made, subjects
from validation import evidence
from validation.rpc import CallRefused, Reply
from validation.subjects import parse_subject
from validation.validators import CHECKS, Heard, Verdict, validate
from validation.validators.registry import HIGHEST_LEVEL


@pytest.mark.parametrize("kind", ["tx", "block", "address", "head"])
@pytest.mark.parametrize("level", [None, 0, 1, 2, 3, 4])
async def test_a_bundle_verifies_at_every_level(kind: str, level: int | None) -> None:
    outcome, packed = await made(subjects()[kind], level)
    finding = evidence.verify(evidence.document(packed))
    assert finding.differences == ()
    assert finding.same
    again = finding.outcome
    assert (again.verdict, again.level, again.reason) == (
        outcome.verdict,
        outcome.level,
        outcome.reason,
    )
    assert again.checks == outcome.checks
    top = HIGHEST_LEVEL[parse_subject(subjects()[kind]).kind]
    if level is not None and level <= top:
        assert outcome.verdict is Verdict.VALID


async def test_checks_that_were_not_explained_are_compared_by_their_status() -> None:
    _, packed = await made(subjects()["tx"], 2, explain=False)
    assert evidence.verify(evidence.document(packed)).same


@pytest.mark.parametrize("absent", ["tx:0x" + "ab" * 32, "block:999999"])
async def test_that_a_node_knows_no_such_item_can_be_proved_too(absent: str) -> None:
    outcome, packed = await made(absent, 2)
    assert outcome.verdict is Verdict.NOT_FOUND
    assert evidence.verify(evidence.document(packed)).same


async def test_the_proof_of_a_lie_verifies_as_the_lie_that_it_is() -> None:
    def lie(method: str, answer: dict[str, str]) -> dict[str, str]:
        return answer | {"value": "0x1"} if method == "eth_getTransactionByHash" else answer

    outcome, packed = await made(subjects()["tx"], 2, lie=lie, explain=False)
    assert outcome.verdict is Verdict.INVALID
    finding = evidence.verify(evidence.document(packed))
    assert finding.same
    told = evidence.unpack(packed).outcome
    assert next(check.name for check in told.checks if check.status == "fail") == "hash"


async def test_a_bundle_tells_what_was_granted() -> None:
    _, packed = await made(subjects()["block"], 2)
    bundle = evidence.unpack(packed)
    assert bundle.made_at == MADE_AT
    assert bundle.context.chain_id == grounds().chain_id
    trusted = bundle.context.checkpoint
    assert trusted is not None
    assert (trusted.number, trusted.hash) == (checkpoint().number, checkpoint().hash)
    assert {exchange.node for exchange in bundle.exchanges} == {"node-1:8545"}


async def test_the_document_is_for_people_and_holds_the_answers_as_they_came() -> None:
    _, packed = await made(subjects()["tx"], 2)
    text = evidence.document(packed)
    document = json.loads(text)
    assert document["format"] == "switchyard-proof"
    assert document["version"] == 1
    assert document["level"] == 2
    assert text.decode().splitlines()[1] == '  "format": "switchyard-proof",'
    question = document["exchanges"][0]["questions"][0]
    assert question["method"] == "eth_getTransactionByHash"
    assert question["params"] == [subjects()["tx"].removeprefix("tx:")]
    assert question["result"]["hash"] == question["params"][0]
    assert {check["name"] for check in document["outcome"]["checks"]} <= set(CHECKS)


async def test_space_between_the_parts_of_a_document_means_nothing() -> None:
    _, packed = await made(subjects()["tx"], 2)
    document = evidence.document(packed)
    assert evidence.verify(json.dumps(json.loads(document)).encode()).same
    assert evidence.verify(b"\n\n" + document + b"  ").same


async def test_the_level_asked_is_told_where_none_was_named() -> None:
    _, packed = await made(subjects()["address"], None)
    assert evidence.unpack(packed).level == json.loads(evidence.document(packed))["level"]


async def test_nothing_is_proved_by_answers_that_were_not_kept() -> None:
    class Forgetful(ChainNode):
        async def fetch(self, *args: object, **kwargs: object) -> Reply:
            reply = await super().fetch(*args, **kwargs)  # type: ignore[arg-type]
            return Reply(reply.values, reply.node)

    heard: list[Heard] = []
    subject = parse_subject(subjects()["tx"])
    outcome = await validate(subject, level=1, fetcher=Forgetful(), grounds=grounds(), heard=heard)
    for kept in (heard, []):
        with pytest.raises(evidence.NothingToProve):
            evidence.pack(
                subject,
                level=1,
                outcome=outcome,
                heard=kept,
                grounds=grounds(),
                made_at=MADE_AT,
            )


@pytest.mark.parametrize(
    ("kind", "method", "reason"),
    [
        ("tx", "eth_getBlockReceipts", "receipts_not_served"),
        ("block", "eth_getBlockReceipts", "receipts_not_served"),
        ("address", "eth_getProof", "proofs_not_supported"),
    ],
)
async def test_what_a_node_refused_is_granted_and_leaves_the_item_as_open_as_it_was(
    kind: str, method: str, reason: str
) -> None:
    def refuse(asked: str, answer: object) -> object:
        if asked == method:
            raise CallRefused("the method does not exist", code=-32601, node="node-1:8545")
        return answer

    outcome, packed = await made(subjects()[kind], 3, lie=refuse)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, reason)
    finding = evidence.verify(evidence.document(packed))
    assert finding.differences == ()
    # A verdict that rests on the answer cannot be had by calling it refused.
    _, sound = await made(subjects()[kind], 3)
    claimed = json.loads(evidence.document(sound))
    claimed["outcome"] |= {"verdict": "unverifiable", "level": 2, "reason": reason}
    assert not evidence.verify(json.dumps(claimed).encode()).same
