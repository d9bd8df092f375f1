"""After any one value of it is changed a bundle does not verify.

Who changes it may compute the digest anew. What then still verifies is listed here, with the
reason: the computation does not look at it, or no computation could tell. All else is caught by
what the chain itself commits to.
"""

import json
import re

import pytest

from tests.evidence.tampering import changed, flipped, is_taken, leaves, pattern
from tests.evidence.worlds import made, subjects
from validation import evidence
from validation.evidence import telling
from validation.validators import Agreement, Caught, Difference

GRANTED = {
    "made_at": "when it was made: recorded, no answer of a node tells it",
    r"context\.checkpoint\.\w+": "trusted from outside, and not looked at below level 4",
    "context.chain_id": "an address is the same on every chain, so no check of it uses the id",
    "outcome.node": "the node's name here: nothing that it answered says it",
    r"exchanges\.(node|source|age_s)": "whom was asked, and when: nothing in an answer says it",
    r"outcome\.checks\.detail": "a sentence for people; of a check that failed by it, compared",
    r"outcome\.agreement\.(asked|agreed|(differs|silent)\.(node|said))": (
        "what other nodes said: their answers are not in the bundle"
    ),
    r"outcome\.caught\.(node|check|detail)": "likewise, of a node that the verdict rests not on",
    "level": "where nothing more was reached, the same verdict answers either level",
}
UNCOMMITTED = {
    r".*\.(totalDifficulty|size)": "no hash or root commits to it, and no check uses it",
    r".*\.blockTimestamp": "as the block's own timestamp, which is what is verified, repeats it",
    r"eth_getBlockBy\w+\.result\.transactions": "hashes in a header's answer: its root is verified",
    r"own\.eth_getBlockByNumber\.result\.transactions": "as above, of the block of the state",
}
OTHERS = {
    r"eth_getBlockByHash\.result\.(hash|transactions\.\w+)": (
        "of the block that the item shares: the header is verified by its content, the item is"
        " compared with its own envelope in it, and repeats outside of envelopes bind nobody"
    ),
    r"eth_getBlockReceipts\.result\.(transactionHash|transactionIndex|blockHash|blockNumber)": (
        "the receipts root binds what a receipt says, not where it says it stands"
    ),
    r"eth_getBlockReceipts\.result\.(gasUsed|effectiveGasPrice|from|to|contractAddress)": (
        "derived for the item's own receipt; of the others nothing rests on it"
    ),
    r"eth_getBlockReceipts\.result\.logs\.(?!address|topics|data)\w+": (
        "where logs stand; of the item's own they are derived, the root binds the content"
    ),
}
AT_LEVEL_2 = {
    r"own\.eth_getTransactionReceipt\.result\.(status|cumulativeGasUsed|gasUsed|logs\.data)": (
        "the node's word until the receipts root is verified at level 3"
    ),
}
# What is bound by roots and hashes, whoever computes the digest, for a transaction at level 4.
BOUND = (
    "eth_getBlockByHash.result.receiptsRoot",
    "eth_getBlockByHash.result.stateRoot",
    "eth_getBlockByHash.result.transactions.value",
    "eth_getBlockReceipts.result.cumulativeGasUsed",
    "eth_getBlockReceipts.result.logs.data",
    "eth_getBlockReceipts.result.status",
    "own.eth_getTransactionByHash.result.value",
    "own.eth_getTransactionReceipt.result.effectiveGasPrice",
    "own.eth_getTransactionReceipt.result.gasUsed",
    "own.eth_getTransactionReceipt.result.logs.logIndex",
    "own.eth_getTransactionReceipt.result.status",
    "context.checkpoint.hash",
    "outcome.verdict",
    "outcome.checks.computed",
    "subject",
)
_EVERY = 5
"""Of what many items share, so many values apart are changed: it is as long as its block."""


OTHER_NODES: dict[str, object] = {
    "agreement": Agreement(
        asked=3,
        agreed=("node-1:8545", "node-2:8545"),
        differs=(Difference(node="node-3:8545", said="null"),),
        silent=(Difference(node="node-4:8545", said="node_timeout"),),
    ),
    "caught": (Caught(node="node-3:8545", check="hash", detail="not the hash"),),
}
"""All that a bundle may say of nodes that its verdict does not rest on."""


async def _taken(kind: str, level: int, *, every: int = 1) -> tuple[set[str], set[str]]:
    """What was changed, and what of it verified with the digest computed anew; each then does not
    with the digest as it was.
    """
    _, packed = await made(subjects()[kind], level, others=OTHER_NODES)
    document = json.loads(evidence.document(packed))
    tried, taken = set(), set()
    for place, (path, value) in enumerate(leaves(document)):
        is_shared = path[0] == "exchanges" and path[1] != 0
        if path == ("digest",) or (is_shared and place % every):
            continue
        name, other = pattern(document, path), flipped(value)
        tried.add(name)
        if await is_taken(changed(document, path, other, sealed=True)):
            taken.add(name)
            assert not await is_taken(changed(document, path, other, sealed=False)), path
    return tried, taken


def _unexplained(taken: set[str], *known: dict[str, str]) -> set[str]:
    patterns = [pattern for table in known for pattern in table]
    return {name for name in taken if not any(re.fullmatch(p, name) for p in patterns)}


async def test_of_a_transaction_at_level_2() -> None:
    _, taken = await _taken("tx", 2)
    assert _unexplained(taken, GRANTED, UNCOMMITTED, AT_LEVEL_2) == set()


async def test_of_a_transaction_at_level_4() -> None:
    tried, taken = await _taken("tx", 4)
    assert set(BOUND) <= tried
    assert taken.isdisjoint(BOUND)
    assert _unexplained(taken, GRANTED, UNCOMMITTED, OTHERS) == set()
    own = {name for name in taken if name.startswith("own.")}
    assert own == set(), "every value of the item's own answers is bound"
    assert not any(name.startswith("context.") for name in taken)


async def test_of_a_block_at_level_4() -> None:
    _, taken = await _taken("block", 4, every=_EVERY)
    assert _unexplained(taken, GRANTED, UNCOMMITTED, OTHERS) == set()
    own = {name for name in taken if name.startswith("own.")}
    assert own == {
        "own.eth_getBlockByHash.result.size",
        "own.eth_getBlockByHash.result.totalDifficulty",
    }


async def test_of_an_address_at_level_4() -> None:
    tried, taken = await _taken("address", 4)
    assert _unexplained(taken, GRANTED, UNCOMMITTED) == set()
    assert {"eth_getBalance.result", "eth_getProof.result.accountProof"} <= tried


@pytest.mark.parametrize("kind", ["tx", "block", "address", "head"])
async def test_the_digest_holds_all_of_it(kind: str) -> None:
    """Also what no computation looks at, and the digest itself."""
    _, packed = await made(subjects()[kind], 2)
    document = json.loads(evidence.document(packed))
    for path in (("digest",), ("made_at",), ("outcome", "node"), ("exchanges", 0, "node")):
        value: object = document
        for step in path:
            value = value[step]  # type: ignore[index]
        assert not await is_taken(changed(document, path, flipped(value), sealed=False)), path


async def test_an_answer_that_nothing_rests_on_has_no_place_in_a_bundle() -> None:
    _, packed = await made(subjects()["tx"], 2)
    document = json.loads(evidence.document(packed))
    more = [*document["exchanges"], document["exchanges"][0] | {"questions": [
        {"method": "eth_chainId", "params": [], "result": "0x1"}
    ]}]  # fmt: skip
    finding = await evidence.reverify(changed(document, ("exchanges",), more, sealed=True))
    assert finding.differences == ("No check needs eth_chainId [], which the bundle answers.",)


async def test_an_answer_left_out_is_missed() -> None:
    _, packed = await made(subjects()["tx"], 2)
    document = json.loads(evidence.document(packed))
    finding = await evidence.reverify(changed(document, ("exchanges",), [], sealed=True))
    assert not finding.same
    assert "which the bundle does not answer" in finding.differences[0]


def _forged_value(method: str, answer: dict[str, str]) -> dict[str, str]:
    return answer | {"value": "0x1"} if method == "eth_getTransactionByHash" else answer


async def test_who_is_accused_by_the_answers_of_an_accusation() -> None:
    """Every word of it is computed; and nobody is added to it."""
    outcome, packed = await made(subjects()["tx"], 2, lie=_forged_value)
    assert outcome.caught
    document = json.loads(evidence.document(packed))
    assert await is_taken(json.dumps(document).encode())
    caught = document["outcome"]["caught"]
    for path, value in leaves(caught):
        there = ("outcome", "caught", *path)
        assert not await is_taken(changed(document, there, flipped(value), sealed=True)), there
    for forged in ([], [*caught, caught[0] | {"node": "node-2:8545"}]):
        assert not await is_taken(changed(document, ("outcome", "caught"), forged, sealed=True))


async def test_a_node_is_not_accused_over_answers_that_pass() -> None:
    _, packed = await made(subjects()["tx"], 2)
    document = json.loads(evidence.document(packed))
    forged = [{"node": "node-1:8545", "check": "hash", "detail": "it lied"}]
    text = changed(document, ("outcome", "caught"), forged, sealed=True)
    finding = await evidence.reverify(text)
    assert finding.differences == (
        "The answers do not show what the bundle says: node-1:8545 at hash: it lied.",
    )


async def test_what_is_granted_of_other_nodes_is_told() -> None:
    _, packed = await made(subjects()["tx"], 2, others=OTHER_NODES)
    finding = await evidence.reverify(evidence.document(packed))
    assert finding.same
    said = "\n".join(telling.lines(finding)).partition("Taken for granted")[2]
    assert "agreement   asked of 3, the same: node-1:8545, node-2:8545;" in said
    assert "; differ: node-3:8545; silent: node-4:8545\n" in said
    assert "caught      node-3:8545 at hash: not the hash; by answers that are not in" in said


async def test_who_is_caught_by_the_answers_is_told_apart_from_what_is_granted() -> None:
    _, packed = await made(subjects()["tx"], 2, lie=_forged_value)
    finding = await evidence.reverify(evidence.document(packed))
    shown, _, granted = "\n".join(telling.lines(finding)).partition("Taken for granted")
    assert "caught      node-1:8545 at hash, by its answers here" in shown
    assert "caught" not in granted
