"""One field after the other is changed: what level 2 commits to is never `valid` any more.

`ONLY_ROOTS_TELL` lists what a node may still lie about at level 2: nothing in the answers
contradicts it, and only the block's roots (level 3) commit to it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validators.world import (
    Json,
    block_of,
    receipt_of,
    signed,
    unsigned,
    validate_block,
    validate_tx,
)
from validation.validators import Verdict

type Path = tuple[str | int, ...]

ONLY_ROOTS_TELL = {
    "receipt": {
        "status",
        "gasUsed",  # within its limits
        "cumulativeGasUsed",  # within its limits
        "blobGasPrice",
        "logs.data",
    },
    "block": {
        "size",
        "totalDifficulty",
        "transactions.gasPrice",  # of types 2 to 4: what was paid, which no envelope holds
    },
}
"""Besides: that logs or transactions were dropped or added together with all that counts them, and
that a block asked for by number is the one of this chain."""

NUMBERS = [0, 1, 2, 3, 4, "creation"]


def transaction(number: int | str) -> Json:
    if number == "creation":
        fields = unsigned(2)
        del fields["to"]
        return signed(2, fields)
    return signed(int(number))


def leaves(tree: Any, path: Path = ()) -> Iterator[Path]:
    """Where every hex text of an answer is."""
    items: Iterator[tuple[str | int, Any]]
    if isinstance(tree, str):
        yield path
        return
    if isinstance(tree, dict):
        items = iter(tree.items())
    elif isinstance(tree, list):
        items = iter(enumerate(tree))
    else:
        return
    for name, held in items:
        yield from leaves(held, (*path, name))


def at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def put(tree: Json, path: Path, held: object) -> None:
    at(tree, path[:-1])[path[-1]] = held


def dotted(path: Path) -> str:
    return ".".join(name for name in path if isinstance(name, str))


def another(held: str, draw: st.DataObject) -> str:
    """Another text of the same form: one digit changed, a quantity changed, or random bytes."""
    digits = held[2:]
    of_fixed_size = len(digits) in {16, 40, 64, 512} or (len(digits) > 1 and digits[0] == "0")
    if not of_fixed_size:
        number = int(digits or "0", 16)
        bits = max(4 * len(digits), 8)
        number ^= draw.draw(st.integers(min_value=1, max_value=2**bits - 1))
        return hex(number)
    place = draw.draw(st.integers(min_value=0, max_value=len(digits) - 1))
    digit = f"{int(digits[place], 16) ^ draw.draw(st.integers(min_value=1, max_value=15)):x}"
    return "0x" + digits[:place] + digit + digits[place + 1 :]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("where", ["tx", "receipt"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
async def test_a_changed_field_of_a_transaction_is_caught(
    where: str, number: int | str, data: st.DataObject
) -> None:
    tx = transaction(number)
    receipt = receipt_of(tx)
    answer = {"tx": tx, "receipt": receipt}[where]
    told = [p for p in leaves(answer) if dotted(p) not in ONLY_ROOTS_TELL.get(where, ())]
    path = data.draw(st.sampled_from(told))
    asked = tx["hash"]
    put(answer, path, another(at(answer, path), data))
    outcome = await validate_tx(tx, receipt, asked=asked)
    assert outcome.verdict is not Verdict.VALID, (path, at(answer, path))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
async def test_a_changed_field_of_a_block_is_caught(data: st.DataObject) -> None:
    block = block_of([signed(number) for number in range(5)])
    asked = f"block:{block['hash']}"
    told = [
        path
        for path in leaves(block)
        if dotted(path) not in ONLY_ROOTS_TELL["block"]
        or (dotted(path) == "transactions.gasPrice" and int(path[1]) < 2)
    ]
    path = data.draw(st.sampled_from(told))
    put(block, path, another(at(block, path), data))
    outcome = await validate_block(block, asked=asked)
    assert outcome.verdict is not Verdict.VALID, (path, at(block, path))


@pytest.mark.parametrize("number", NUMBERS)
async def test_every_committed_field_is_caught_when_its_last_digit_changes(
    number: int | str,
) -> None:
    """Without chance: each field in turn, so that none is left out."""
    mutations = 0
    for where in ("tx", "receipt"):
        whole = transaction(number)
        for path in leaves(whole if where == "tx" else receipt_of(whole)):
            if dotted(path) in ONLY_ROOTS_TELL.get(where, ()):
                continue
            tx, receipt = whole | {}, receipt_of(whole)
            answer = transaction(number) if where == "tx" else receipt
            held = at(answer, path)
            put(answer, path, held[:-1] + f"{int(held[-1], 16) ^ 1:x}" if held != "0x" else "0x01")
            if where == "tx":
                tx = answer
            outcome = await validate_tx(tx, receipt, asked=whole["hash"])
            assert outcome.verdict is not Verdict.VALID, (where, path)
            mutations += 1
    assert mutations > 30


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("held", [None, "", "0x", 5, [], {}, "0x00", "0xzz", True])
async def test_a_field_of_the_wrong_kind_is_never_valid(number: int | str, held: object) -> None:
    """Null and an empty list say nothing, so fields that may be absent may hold them."""
    for where in ("tx", "receipt"):
        for name in transaction(number) if where == "tx" else receipt_of(transaction(number)):
            tx = transaction(number)
            receipt = receipt_of(tx)
            answer = {"tx": tx, "receipt": receipt}[where]
            if answer[name] == held or (held in (None, []) and name in MAY_BE_ABSENT[where]):
                continue
            asked = tx["hash"]
            answer[name] = held
            outcome = await validate_tx(tx, receipt, asked=asked)
            assert outcome.verdict is not Verdict.VALID, (where, name, held)


MAY_BE_ABSENT = {
    "tx": {"v", "yParity", "chainId", "gasPrice", "type"},
    "receipt": {"type", "effectiveGasPrice", "blobGasUsed", "blobGasPrice"},
}


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_field_left_out_is_never_valid(number: int | str) -> None:
    for where in ("tx", "receipt"):
        for name in transaction(number) if where == "tx" else receipt_of(transaction(number)):
            tx = transaction(number)
            receipt = receipt_of(tx)
            answer = {"tx": tx, "receipt": receipt}[where]
            if name in MAY_BE_ABSENT[where] or answer[name] is None:
                continue
            asked = tx["hash"]
            del answer[name]
            outcome = await validate_tx(tx, receipt, asked=asked)
            assert outcome.verdict is not Verdict.VALID, (where, name)


@pytest.mark.parametrize("where", ONLY_ROOTS_TELL)
async def test_what_only_roots_tell_is_listed_truthfully(where: str) -> None:
    """Each of them can indeed be changed unnoticed: once it cannot, it leaves the list."""
    tx = transaction(3)
    tx["transactionIndex"] = "0x1"  # cumulative gas is told apart from gas only past the first
    receipt = receipt_of(tx)
    changes: dict[str, tuple[Path, object]] = {
        "status": (("status",), "0x0"),
        "gasUsed": (("gasUsed",), "0x5207"),
        "cumulativeGasUsed": (("cumulativeGasUsed",), "0x5209"),
        "blobGasPrice": (("blobGasPrice",), "0x2"),
        "logs.data": (("logs", 0, "data"), "0x02"),
        "size": (("size",), "0x1"),
        "totalDifficulty": (("totalDifficulty",), "0x1"),
        "transactions.gasPrice": (("transactions", 2, "gasPrice"), "0x1"),
    }
    for name in ONLY_ROOTS_TELL[where]:
        path, held = changes[name]
        if where == "block":
            block = block_of([signed(number) for number in range(5)])
            put(block, path, held)
            outcome = await validate_block(block)
        else:
            lie = receipt | {"logs": [] if name == "status" else [dict(x) for x in receipt["logs"]]}
            if name == "status":
                lie["logsBloom"] = "0x" + "00" * 256
            put(lie, path, held)
            outcome = await validate_tx(tx, lie)
        assert outcome.verdict is Verdict.VALID, name
