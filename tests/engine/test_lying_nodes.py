"""A node that lies over a real socket: the engine catches it, and says so of the node.

The whole table of lies × levels is tests/drill; here a few go all the way through the client.
"""

import json
from collections.abc import Callable

import pytest

from tests.devnode.asking import Over
from tests.engine.conftest import Ask
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings
from validation.validators import Verdict

type Serving = Callable[[App], Over]

_PROVED = 3


def lying(chain: Chain, lie: str) -> App:
    return create_app(chain, Controls(settings=Settings(lie=lie)))


@pytest.fixture(scope="module")
def subjects(chain: Chain) -> list[str]:
    """Enough that every lie has something to lie about: logs, a creation, a full block."""
    receipts = {tx: json.loads(text) for tx, text in chain.receipt_json.items()}
    logged = next(tx for tx, receipt in receipts.items() if receipt["logs"])
    creation = next(tx for tx, receipt in receipts.items() if receipt["contractAddress"])
    return [f"tx:{logged}", f"tx:{creation}", "block:100"]


def test_the_truth_is_valid_in_its_block(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str]
) -> None:
    node = serving(create_app(chain))
    account = f"address:{chain.addresses[0]}"
    for outcome in ask(node.url, [*subjects, account, "head"], chain_id=chain.chain_id):
        assert (outcome.verdict, outcome.level) == (Verdict.VALID, _PROVED), outcome


@pytest.mark.parametrize(
    "told",
    [
        ("tx-value", "hash"),
        ("tx-sender", "sender"),
        ("receipt-bloom", "logs_bloom"),
        ("receipt-log-alone", "receipt_same"),
        ("receipt-gas-used", "gas_used"),
    ],
)
def test_who_lies_of_a_transaction_is_caught_and_named(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str], told: tuple[str, str]
) -> None:
    lie, check = told
    node = serving(lying(chain, lie))
    (outcome,) = ask(node.url, subjects[:1], chain_id=chain.chain_id)
    assert outcome.verdict is Verdict.INVALID
    assert isinstance(outcome.caught, tuple)
    assert {(one.node, one.check) for one in outcome.caught} >= {(outcome.node, check)}


@pytest.mark.parametrize("lie", ["wrong-id", "not-json", "html", "truncated", "bad-gateway", "nan"])
def test_a_node_that_talks_nonsense_is_an_error_never_a_verdict(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str], lie: str
) -> None:
    node = serving(lying(chain, lie))
    outcomes = ask(node.url, subjects)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ERROR}
    assert all(not outcome.caught for outcome in outcomes)


def test_a_field_nobody_knows_is_unverifiable(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str]
) -> None:
    node = serving(lying(chain, "extra-field"))
    verdicts = {outcome.verdict for outcome in ask(node.url, subjects)}
    assert verdicts == {Verdict.UNVERIFIABLE}
