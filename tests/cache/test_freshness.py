"""How long which answer may be believed, and under which key it lies."""

import json
from random import Random
from typing import Any

import pytest

from tests.validators import world
from validation.cache.freshness import Finality, Lifetime, Unknown, lifetime
from validation.cache.keys import BY_NAME, home_of, key_of, kind_of
from validation.rpc import Call
from validation.rpc.answers import read_block, read_lean_block, read_transaction
from validation.subjects import parse_subject
from validation.validators.registry import KINDS

NS = b"switchyard:cache:0011223344556677:"
TX = world.signed(2)
RECEIPT = world.receipt_of(TX)
PENDING = TX | {"blockHash": None, "blockNumber": None, "transactionIndex": None}
BLOCK = world.block_of([TX])
LEAN = BLOCK | {"transactions": [TX["hash"]]}
ADDRESS = "0x" + "11" * 20


class Chain:
    def __init__(self, final: int | None = None, orphan: str = "", rival: str = "") -> None:
        self._final = final
        self._rival = rival
        self._orphan = orphan

    def final_number(self) -> int | None:
        return self._final

    def is_settled(self, number: int, block_hash: str, /) -> bool:
        return self._final is not None and number <= self._final and block_hash != self._rival

    def is_orphaned(self, block_hash: str, /) -> bool:
        return block_hash == self._orphan


class Middle(Random):
    """Neither shortens nor lengthens: the jitter's upper end."""

    def random(self) -> float:
        return 0.0


def life(
    subject: str, *answers: Any, finality: Finality | None = None, random: Random | None = None
) -> Lifetime | None:
    parsed = parse_subject(subject)
    calls = KINDS[parsed.kind].calls(parsed)
    values = [
        call.decode(json.dumps(answer).encode())
        for call, answer in zip(calls, answers, strict=True)
    ]
    found = key_of(NS, calls)
    assert found is not None
    return lifetime(
        found[1],
        calls[0].params,
        values,
        node="n",
        finality=finality or Unknown(),
        random=random or Middle(),
    )


TX_SUBJECT = f"tx:{TX['hash']}"
NUMBER, HASH = "block:16", f"block:{BLOCK['hash']}"
ACCOUNT = (f"address:{ADDRESS}", "0x1", "0x1", "0x")
FINAL, OPEN = Chain(16), Chain(15)


@pytest.mark.parametrize(
    ("asked", "finality", "stale_s", "expires_s", "home_s"),
    [
        ((TX_SUBJECT, TX, RECEIPT), FINAL, 86_400, 172_800, 0),
        ((TX_SUBJECT, TX, RECEIPT), OPEN, 12, 12, 300),
        ((TX_SUBJECT, TX, RECEIPT), Unknown(), 12, 12, 300),
        ((TX_SUBJECT, None, None), FINAL, 60, 60, 0),
        ((NUMBER, BLOCK), FINAL, 86_400, 172_800, 0),
        ((NUMBER, BLOCK), OPEN, 12, 12, 300),
        ((HASH, BLOCK), FINAL, 86_400, 172_800, 0),
        ((HASH, BLOCK), OPEN, 300, 300, 0),
        ((NUMBER, None), FINAL, 60, 60, 0),
        ((NUMBER, None), OPEN, 12, 12, 0),
        ((HASH, None), OPEN, 60, 60, 0),
        (("head", LEAN), FINAL, 2, 2, 0),
        (ACCOUNT, FINAL, 60, 60, 0),
    ],
)
def test_lifetimes(
    asked: tuple[Any, ...], finality: Finality, stale_s: float, expires_s: float, home_s: float
) -> None:
    found = life(*asked, finality=finality)
    assert found is not None
    assert (found.stale_s, found.expires_s, found.home_s) == (stale_s, expires_s, home_s)


def test_only_what_is_final_outlives_its_freshness() -> None:
    for asked in (
        (TX_SUBJECT, TX, RECEIPT),
        (NUMBER, BLOCK),
        (HASH, BLOCK),
        ("head", LEAN),
        ACCOUNT,
    ):
        found = life(*asked, finality=OPEN)
        assert found is not None
        assert found.stale_s == found.expires_s


def test_a_final_number_with_another_block_is_not_final() -> None:
    for asked, held in (
        ((TX_SUBJECT, TX, RECEIPT), TX["blockHash"]),
        ((NUMBER, BLOCK), BLOCK["hash"]),
    ):
        found = life(*asked, finality=Chain(16, rival=str(held).lower()))
        assert found is not None
        assert found.block_hash == str(held).lower()
        assert found.stale_s <= 12.0


def test_what_is_missing_is_marked_so() -> None:
    missing, there = life(TX_SUBJECT, None, None), life(TX_SUBJECT, TX, RECEIPT)
    assert missing is not None
    assert there is not None
    assert (missing.negative, there.negative) == (True, False)


@pytest.mark.parametrize(
    "asked",
    [
        (TX_SUBJECT, None, RECEIPT),
        (TX_SUBJECT, TX, None),
        (TX_SUBJECT, TX, RECEIPT | {"blockHash": "0x" + "77" * 32}),
        (TX_SUBJECT, PENDING, RECEIPT),
        (TX_SUBJECT, TX | {"hash": "rubbish"}, RECEIPT),
        (NUMBER, {"number": "0x1"}),
        ("head", None),
        (f"address:{ADDRESS}", "0x1", "rubbish", "0x"),
    ],
)  # fmt: skip
def test_what_a_node_contradicts_itself_in_is_not_kept(asked: tuple[Any, ...]) -> None:
    assert life(*asked, finality=FINAL) is None


def test_what_waits_for_a_block_is_kept_for_a_moment() -> None:
    found = life(TX_SUBJECT, PENDING, None, finality=FINAL)
    assert found is not None
    assert found.expires_s == 2


@pytest.mark.parametrize("asked", [(TX_SUBJECT, TX, RECEIPT), (NUMBER, BLOCK), (HASH, BLOCK)])
def test_what_is_known_to_be_orphaned_is_not_kept(asked: tuple[Any, ...]) -> None:
    block_hash = TX["blockHash"] if asked[0] == TX_SUBJECT else BLOCK["hash"]
    assert life(*asked, finality=Chain(None, block_hash)) is None
    assert life(*asked, finality=Chain(None, "0x" + "66" * 32)) is not None


def test_tags_name_kind_node_block_and_the_head() -> None:
    tx, block = life(TX_SUBJECT, TX, RECEIPT), life(NUMBER, BLOCK, finality=FINAL)
    head, account = life("head", LEAN), life(*ACCOUNT)
    assert tx is not None and tx.tags == ("tx", "node:n", f"block:{TX['blockHash']}")  # noqa: PT018
    assert block is not None and block.tags == ("block", "node:n", f"block:{BLOCK['hash']}")  # noqa: PT018
    assert head is not None and head.tags == ("head", "node:n", "latest", f"block:{BLOCK['hash']}")  # noqa: PT018
    assert account is not None and account.tags == ("address", "node:n", "latest")  # noqa: PT018


def test_a_limit_is_a_limit_and_nothing_expires_together() -> None:
    random = Random(1)
    found = [life(NUMBER, BLOCK, finality=OPEN, random=random) for _ in range(200)]
    spans = {one.expires_s for one in found if one is not None}
    assert len(spans) > 150
    assert 12 * 0.8 <= min(spans) < max(spans) <= 12


class TestKeys:
    def test_each_kind_has_its_own_and_says_which(self) -> None:
        for subject in (TX_SUBJECT, NUMBER, HASH, "head", ACCOUNT[0]):
            parsed = parse_subject(subject)
            found = key_of(NS, KINDS[parsed.kind].calls(parsed))
            assert found is not None
            assert found[0].startswith(NS)
            assert BY_NAME[kind_of(found[0])].name == found[1].name == parsed.kind.value

    def test_the_case_of_an_address_is_no_difference(self) -> None:
        keys = set()
        for text in ("0x" + "ab" * 20, "0x" + "AB" * 20):
            parsed = parse_subject(f"address:{text}")
            found = key_of(NS, KINDS[parsed.kind].calls(parsed))
            assert found is not None
            keys.add(found[0])
        assert len(keys) == 1

    @pytest.mark.parametrize(
        "calls",
        [
            (Call("eth_gasPrice", (), bytes),),
            (Call("eth_getBlockByNumber", ("0x10", True), bytes),),
            (Call("eth_getTransactionByHash", (TX["hash"],), read_transaction),),
        ],
    )
    def test_other_questions_have_none(self, calls: tuple[Call, ...]) -> None:
        assert key_of(NS, calls) is None

    def test_a_question_about_two_things_has_none(self) -> None:
        parsed = parse_subject(TX_SUBJECT)
        one, two = KINDS[parsed.kind].calls(parsed)
        assert key_of(NS, (one, Call(two.method, ("0x" + "00" * 32,), two.decode))) is None

    def test_a_question_of_any_length_has_a_short_one(self) -> None:
        found = key_of(NS, (Call("eth_getBlockByNumber", ("9" * 5000, True), read_block),))
        assert found is not None
        assert len(found[0]) < 200

    def test_a_block_lies_where_those_look_who_ask_by_hash(self) -> None:
        number, hashed = (
            key_of(NS, KINDS[parsed.kind].calls(parsed))
            for parsed in (parse_subject(NUMBER), parse_subject(HASH))
        )
        assert number is not None
        assert hashed is not None
        assert home_of(number[0], BLOCK["hash"]) == hashed[0]
        assert home_of(hashed[0], BLOCK["hash"]) == hashed[0]

    def test_full_and_lean_blocks_are_kept_apart(self) -> None:
        full = key_of(NS, (Call("eth_getBlockByNumber", ("latest", True), read_block),))
        lean = key_of(NS, (Call("eth_getBlockByNumber", ("latest", True), read_lean_block),))
        assert full is not None
        assert lean is not None
        assert full[0] != lean[0]

    @pytest.mark.parametrize("rubbish", [b"", b"a:b:c:d:e", NS, NS[:-1], b"\xff" * 40])
    def test_rubbish_is_of_no_kind(self, rubbish: bytes) -> None:
        assert kind_of(rubbish) not in BY_NAME
