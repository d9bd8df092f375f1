"""A node that lies is caught, or the verdict does not claim what the lie is about."""

import json
from collections.abc import Callable

import pytest

from tests.devnode.asking import Over
from tests.engine.conftest import Ask
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings
from validation.devnode.lies import LIES
from validation.validators import HIGHEST_LEVEL, Verdict

type Serving = Callable[[App], Over]


def lying(chain: Chain, lie: str) -> App:
    return create_app(chain, Controls(settings=Settings(lie=lie)))


CAUGHT_TODAY = sorted(
    name for name, lie in LIES.items() if lie.level is not None and lie.level <= 2
)


@pytest.fixture(scope="module")
def subjects(chain: Chain) -> list[str]:
    """Enough that every lie has something to lie about: logs, a creation, a full block."""
    receipts = {tx: json.loads(text) for tx, text in chain.receipt_json.items()}
    logged = next(tx for tx, receipt in receipts.items() if receipt["logs"])
    creation = next(tx for tx, receipt in receipts.items() if receipt["contractAddress"])
    return [f"tx:{logged}", f"tx:{creation}", "block:100", "block:101"]


def test_the_truth_is_valid_at_the_highest_level_built(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str]
) -> None:
    node = serving(create_app(chain))
    for outcome in ask(node.url, [*subjects, "head"]):
        kind = outcome.subject.partition(":")[0]
        assert outcome.verdict is Verdict.VALID, outcome
        assert outcome.level == HIGHEST_LEVEL[kind]  # type: ignore[index]


@pytest.mark.parametrize("lie", CAUGHT_TODAY)
def test_each_lie_that_level_two_can_catch_is_caught(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str], lie: str
) -> None:
    node = serving(lying(chain, lie))
    outcomes = ask(node.url, subjects, chain_id=chain.chain_id)
    fooled = [outcome for outcome in outcomes if outcome.verdict is not Verdict.VALID]
    assert fooled, f"{lie}: nobody noticed"
    for outcome in fooled:
        assert outcome.reason != "ok"
        assert outcome.level < 2 or outcome.verdict is Verdict.INVALID


@pytest.mark.parametrize("lie", ["wrong-id", "not-json", "html", "truncated", "bad-gateway", "nan"])
def test_a_node_that_talks_nonsense_is_an_error_never_a_verdict(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str], lie: str
) -> None:
    node = serving(lying(chain, lie))
    assert {outcome.verdict for outcome in ask(node.url, subjects)} == {Verdict.ERROR}


def test_a_field_nobody_knows_is_unverifiable(
    chain: Chain, serving: Serving, ask: Ask, subjects: list[str]
) -> None:
    node = serving(lying(chain, "extra-field"))
    verdicts = {outcome.verdict for outcome in ask(node.url, subjects)}
    assert verdicts == {Verdict.UNVERIFIABLE}
