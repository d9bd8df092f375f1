"""Addresses: what is said of an account without a proof, and what a proof shows or refutes."""

from typing import Any

import pytest

from tests.validators.states import Made, State, StateNode, header_of
from tests.validators.world import EMPTY_ROOT, Json, Node, detail, statuses
from validation.checkpoint import Checkpoint
from validation.lineage import Lineage
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, Verdict, validate

CAPITALS = "0x52908400098527886E0F7030069857D2E4169EE7"
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
WRONG_CASE = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ACCOUNT: Json = {
    "eth_getBalance": "0xde0b6b3a7640000",
    "eth_getTransactionCount": "0x5",
    "eth_getCode": "0x6001",
}
OWNER, CONTRACT, NOBODY = (f"0x{byte * 20}" for byte in ("a1", "c2", "ee"))
STATE = State(
    {
        MIXED.lower(): Made(nonce=5, balance=10**18),
        OWNER: Made(nonce=1, balance=7),
        CONTRACT: Made(nonce=1, code=b"\x60\x01", storage={0: 8, 1: 2**255, 7: 1}),
        **{f"0x{n:040x}": Made(balance=n) for n in range(1, 40)},
    }
)


class Final:
    """Blocks up to this number are final."""

    def __init__(self, number: int) -> None:
        self.number = number

    def final_number(self) -> int | None:
        return self.number

    def is_settled(self, number: int, block_hash: str, /) -> bool:
        return number <= self.number

    def is_orphaned(self, block_hash: str, /) -> bool:
        return False


PROVED = ["asked", "account", "balance", "nonce", "code"]


async def said(address: str = MIXED, *, level: int | None = 1, **answers: object) -> Outcome:
    """What the node says of an account is well-formed, and no more is looked at."""
    node = Node(ACCOUNT | answers)
    return await validate(
        parse_subject(f"address:{address}"), level=level, fetcher=node, chain_id=1
    )


async def proved(
    subject: str, node: StateNode | None = None, *, level: int | None = 3, **grounds: Any
) -> Outcome:
    return await validate(
        parse_subject(subject),
        level=level,
        fetcher=node or StateNode(STATE),
        grounds=Grounds(chain_id=1, **grounds),
    )


def caught_at(outcome: Outcome) -> list[tuple[str, str]]:
    return [(caught.node, caught.check) for caught in outcome.caught or ()]


async def test_an_address_is_valid_at_level_1_in_one_round_trip() -> None:
    node = Node(ACCOUNT)
    outcome = await validate(parse_subject(MIXED), level=1, fetcher=node, chain_id=None)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 1, "ok")
    [calls] = node.asked
    assert {call.params for call in calls} == {(MIXED, "latest")}


@pytest.mark.parametrize("address", [MIXED, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"])
async def test_a_right_checksum_passes(address: str) -> None:
    assert statuses(await said(address))["checksum"] == "pass"


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_a_wrong_checksum_is_invalid_and_blames_no_node(level: int) -> None:
    outcome = await said(WRONG_CASE) if level == 1 else await proved(WRONG_CASE, level=level)
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.INVALID, 0, "bad_checksum")
    assert MIXED in detail(outcome, "checksum")
    assert not outcome.caught


@pytest.mark.parametrize("address", [MIXED.lower(), "0x" + MIXED[2:].upper(), CAPITALS])
async def test_case_that_is_not_mixed_is_no_checksum(address: str) -> None:
    outcome = await said(address)
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
    outcome = await said(level=level, **answer)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "malformed_answer")


async def test_level_0_of_an_address_looks_at_nothing_but_the_answer() -> None:
    outcome = await said(WRONG_CASE, level=0)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 0)
    assert statuses(outcome) == {"answered": "pass"}


@pytest.mark.parametrize("address", [MIXED, OWNER, CONTRACT, NOBODY])
@pytest.mark.parametrize("level", [None, 2, 3])
async def test_an_account_or_its_absence_is_proved_at_one_block(
    address: str, level: int | None
) -> None:
    node = StateNode(STATE)
    outcome = await proved(f"address:{address}", node, level=level)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, level or 3), outcome
    assert {statuses(outcome)[name] for name in (*PROVED, "header_hash")} == {"pass"}
    assert outcome.block is not None
    assert (outcome.block.number, outcome.block.hash) == (16, node.header["hash"])
    header, account = node.asked
    assert [call.params for call in header] == [("latest", False)]
    assert {call.params[-1] for call in account} == {"0x10"}
    assert len(account) == 4


async def test_both_forms_of_the_empty_account_are_known() -> None:
    for absent in ("0x" + "00" * 32, None):
        node = StateNode(STATE)
        if absent:
            node.told["eth_getProof"] = lambda p: (
                p
                | {
                    "codeHash": "0x" + "00" * 32,
                    "storageHash": "0x" + "00" * 32,
                }
            )
        assert (await proved(NOBODY, node)).verdict is Verdict.VALID
    # From before EIP-158 an empty account could stand in the trie.
    node = StateNode(State({NOBODY: Made(), OWNER: Made(nonce=1)}))
    assert (await proved(NOBODY, node)).verdict is Verdict.VALID
    assert (await proved(NOBODY, StateNode(State({})))).verdict is Verdict.VALID


async def test_storage_slots_are_proved_with_the_account() -> None:
    node = StateNode(STATE)
    outcome = await proved(f"address:{CONTRACT}/0x0,0x1,0x5", node)
    assert (outcome.verdict, statuses(outcome)["storage"]) == (Verdict.VALID, "pass")
    proof = node.asked[1][0]
    assert proof.params[1] == tuple(f"0x{slot:064x}" for slot in (0, 1, 5))
    for address in (NOBODY, OWNER):
        assert (await proved(f"address:{address}/0x0")).verdict is Verdict.VALID
    unproved = await proved(f"address:{CONTRACT}/0x0", level=1)
    assert (unproved.verdict, statuses(unproved)["storage"]) == (Verdict.VALID, "skip")


def _with(**changed: object) -> Any:
    return lambda proof: proof | changed


def _always(answer: object) -> Any:
    return lambda _: answer


def _slot(**changed: object) -> Any:
    return lambda proof: proof | {"storageProof": [proof["storageProof"][0] | changed]}


FOREIGN = STATE.proof(OWNER, [])["accountProof"]
LIES = [
    ("account", "eth_getProof", lambda p: p | {"accountProof": p["accountProof"][:-1]}),
    ("account", "eth_getProof", lambda p: p | {"accountProof": []}),
    ("account", "eth_getProof", lambda p: p | {"accountProof": [*p["accountProof"], "0xc0"]}),
    ("account", "eth_getProof", _with(accountProof=FOREIGN)),
    ("account", "eth_getProof", _with(accountProof=STATE.proof(NOBODY, [])["accountProof"])),
    ("account", "eth_getProof", _with(accountProof=["0xff"])),
    ("account", "eth_getProof", _with(balance="0x8")),
    ("account", "eth_getProof", _with(nonce="0x0")),
    ("account", "eth_getProof", _with(codeHash="0x" + "00" * 32)),
    ("account", "eth_getProof", _with(storageHash="0x" + "11" * 32)),
    ("asked", "eth_getProof", lambda _: STATE.proof(OWNER, [f"0x{0:064x}"])),
    ("balance", "eth_getBalance", lambda _: "0x1"),
    ("nonce", "eth_getTransactionCount", lambda _: "0x2"),
    ("code", "eth_getCode", lambda _: "0x6002"),
    ("code", "eth_getCode", lambda _: "0x"),
    ("storage", "eth_getProof", _slot(value="0x9")),
    ("storage", "eth_getProof", _slot(value="0x0", proof=[])),
    ("storage", "eth_getProof", _slot(key="0x1")),
    ("storage", "eth_getProof", _with(storageProof=[])),
    ("storage", "eth_getProof", _slot(proof=FOREIGN)),
]


@pytest.mark.parametrize(("check", "method", "lie"), LIES)
async def test_a_lie_about_an_account_is_caught(check: str, method: str, lie: Any) -> None:
    node = StateNode(STATE)
    node.told[method] = lie
    outcome = await proved(f"address:{CONTRACT}/0x0", node, finality=Final(16))
    assert (outcome.verdict, outcome.level) == (Verdict.INVALID, 0 if check == "asked" else 1)
    assert statuses(outcome)[check] == "fail", outcome
    assert caught_at(outcome) == [("node-1", check)]
    if check != "asked":  # which no reorganisation explains
        assert node.fresh == [False, False, True, True]


@pytest.mark.parametrize("finality", [None, Final(15)])
@pytest.mark.parametrize(("check", "method", "lie"), LIES)
async def test_while_the_block_may_move_only_one_answer_by_itself_accuses(
    check: str, method: str, lie: Any, finality: Final | None
) -> None:
    """A proof and a balance may come from two nodes behind one address, on two forks."""
    node = StateNode(STATE)
    node.told[method] = lie
    outcome = await proved(f"address:{CONTRACT}/0x0", node, finality=finality)
    assert (outcome.verdict, statuses(outcome)[check]) == (Verdict.INVALID, "fail")
    failed = next(each for each in outcome.checks if each.name == check)
    is_of_two = check in {"balance", "nonce", "code"} or "under state root" in failed.detail
    assert caught_at(outcome) == ([] if is_of_two else [("node-1", check)])


async def test_code_and_balance_made_up_for_nobody_are_caught() -> None:
    for method, lie in (("eth_getBalance", "0x1"), ("eth_getCode", "0x6001")):
        node = StateNode(STATE)
        node.told[method] = _always(lie)
        assert (await proved(NOBODY, node)).verdict is Verdict.INVALID


@pytest.mark.parametrize("level", [2, 3, 5])
async def test_a_header_with_anothers_hash_is_caught(level: int) -> None:
    node = StateNode(STATE)
    node.told["eth_getBlockByNumber"] = lambda h: h | {"stateRoot": "0x" + "11" * 32}
    outcome = await proved(MIXED, node, level=level)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "header_hash_mismatch")
    assert caught_at(outcome) == [("node-1", "header_hash")]
    assert outcome.block is None


async def test_a_field_that_nobody_knows_does_no_harm_where_the_rest_hashes() -> None:
    node = StateNode(STATE)
    node.told["eth_getBlockByNumber"] = lambda h: h | {"slotNumber": "0x1"}
    assert (await proved(MIXED, node)).verdict is Verdict.VALID
    node.told["eth_getBlockByNumber"] = lambda h: h | {"slotNumber": "0x1", "hash": "0x" + "1" * 64}
    outcome = await proved(MIXED, node)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1)
    assert outcome.reason == "unknown_field"


async def test_a_new_head_between_the_two_answers_is_no_lie() -> None:
    node = StateNode(STATE)
    richer = State({**STATE.accounts, MIXED.lower(): Made(nonce=6, balance=10**18)})

    def reorganise() -> None:
        node.state, node.header = richer, header_of(richer.root)
        node.after = lambda: None

    node.after = reorganise
    outcome = await proved(MIXED, node)
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 3), outcome
    assert outcome.block is not None
    assert outcome.block.hash == node.header["hash"]
    assert not outcome.caught


async def test_a_node_that_does_not_have_the_block_yet_is_asked_once_more() -> None:
    node = StateNode(STATE)
    before = node.header
    node.header = header_of(STATE.root, 17)
    node.told["eth_getBlockByNumber"] = lambda _: before

    def catch_up() -> None:
        node.told.clear()
        node.after = lambda: None

    node.after = catch_up
    assert (await proved(MIXED, node)).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("code", "reason"), [(-32601, "proofs_not_supported"), (-32000, "proof_not_served")]
)
async def test_no_proof_is_unverifiable_and_said(code: int, reason: str) -> None:
    for level in (2, 3):
        node = StateNode(STATE)
        node.refused["eth_getProof"] = code
        outcome = await proved(MIXED, node, level=level)
        assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1)
        assert outcome.reason == reason
        assert "block 16" in detail(outcome, "account")


@pytest.mark.parametrize("root", ["0x" + "00" * 32, EMPTY_ROOT])
async def test_a_header_without_a_state_root_proves_nothing(root: str) -> None:
    node = StateNode(STATE)
    node.header = header_of(root, 0)
    outcome = await proved(MIXED, node)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 1)
    assert (outcome.reason, len(node.asked)) == ("no_state_root", 1)
    assert f"block 0 has {root}, which is of no state" in detail(outcome, "account")


async def test_two_nodes_on_two_forks_blame_nobody() -> None:
    node = StateNode(STATE)
    node.told["eth_getBalance"] = lambda _: "0x1"

    def swap() -> None:
        node.label = "node-2" if node.label == "node-1" else "node-1"

    node.after = swap
    outcome = await proved(MIXED, node)
    assert outcome.verdict is Verdict.INVALID
    assert not outcome.caught


async def test_a_malformed_proof_is_the_nodes_error() -> None:
    for lie in (None, 5, {}, {"accountProof": "0x"}):
        node = StateNode(STATE)
        node.told["eth_getProof"] = _always(lie)
        outcome = await proved(MIXED, node)
        expected = Verdict.UNVERIFIABLE if lie is None else Verdict.ERROR
        assert outcome.verdict is expected


async def test_an_account_is_anchored_by_its_block() -> None:
    node = StateNode(STATE)
    checkpoint = Checkpoint(16, node.header["hash"])
    outcome = await proved(
        MIXED, node, level=None, checkpoint=checkpoint, lineage=Lineage(checkpoint)
    )
    assert (outcome.verdict, outcome.level) == (Verdict.VALID, 4), outcome
    other = Checkpoint(16, "0x" + "cc" * 32)
    outcome = await proved(MIXED, node, level=4, checkpoint=other, lineage=Lineage(other))
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "not_anchored")
    assert caught_at(outcome) == [("node-1", "anchored")]
    outcome = await proved(MIXED, node, level=4)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 3)
    assert outcome.reason == "no_checkpoint"


async def test_what_was_compared_stands_with_what_passed_where_it_is_explained() -> None:
    node = StateNode(STATE)
    outcome = await validate(
        parse_subject(MIXED), level=3, fetcher=node, grounds=Grounds(), explain=True
    )
    assert outcome.verdict is Verdict.VALID
    assert len(node.asked) == 2
    told = {check.name: (check.computed, check.claimed) for check in outcome.checks}
    assert told["balance"] == (str(10**18), str(10**18))
