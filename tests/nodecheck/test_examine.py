"""What a test of a node finds: of one that is well, one that lies, and one that is not there."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.devnode.asking import Over
from tests.devnode.conftest import chain, serving  # noqa: F401 - fixtures, found by name
from validation import nodecheck
from validation.checkpoint import Checkpoint
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.nodecheck import NodeTest
from validation.rpc import AddressPolicy, NodeUrl, RpcConfig

KEY = "hunter2verysecret"
type Ask = Callable[..., NodeTest]


@pytest.fixture
def node(chain: Chain, serving: Callable[[App], Over]) -> Over:  # noqa: F811 - the fixtures
    return serving(create_app(chain))


@pytest.fixture
def ask(node: Over) -> Ask:
    def told(**config: object) -> NodeTest:
        checkpoint = config.pop("checkpoint", None)
        url = NodeUrl.parse(f"{node.url}/{KEY}")
        bounds = RpcConfig(nodes=(url,), allow_loopback=True, **config)  # type: ignore[arg-type]
        return nodecheck.examine(url, config=bounds, checkpoint=checkpoint)  # type: ignore[arg-type]

    return told


def found(test: NodeTest) -> dict[str, str]:
    return {finding.name: finding.status for finding in test.findings}


def said(test: NodeTest, name: str) -> str:
    return next(finding.said for finding in test.findings if finding.name == name)


def test_a_node_that_is_well_passes_every_question(ask: Ask) -> None:
    test = ask(chain_id=31337, checkpoint=Checkpoint(0, _genesis(ask)))
    assert set(found(test).values()) == {"pass"}
    assert (test.chain_id, test.head, test.passed, test.failed) == (31337, 320, True, 0)
    assert test.latency_ms is not None
    assert test.latency_ms > 0
    assert KEY not in repr(test)


def _genesis(ask: Ask) -> str:
    """As the node itself tells it, where another is trusted."""
    wrong = ask(checkpoint=Checkpoint(0, "0x" + "ab" * 32))
    assert found(wrong)["checkpoint"] == "fail"
    text = said(wrong, "checkpoint")
    assert "another chain, or a node that lies" in text
    return text.split()[1]


def test_without_a_chain_and_a_checkpoint_to_compare_with_it_says_so(ask: Ask) -> None:
    test = ask()
    assert (found(test)["chain"], found(test)["checkpoint"]) == ("skip", "skip")
    assert "NODE_CHAIN_ID is not set" in said(test, "chain")
    assert test.passed


def test_another_chain_is_a_finding(ask: Ask) -> None:
    test = ask(chain_id=1)
    assert found(test)["chain"] == "fail"
    assert "NODE_CHAIN_ID is 1" in said(test, "chain")
    assert found(test)["head"] == "pass"


def test_a_head_that_does_not_hash_to_its_name_is_a_lie(node: Over, ask: Ask) -> None:
    node.post({"lie": "block-gas-used"}, "/_control")
    node.close()
    test = ask()
    assert found(test)["head"] == "fail"
    assert "does not hash" in said(test, "head")


def test_nobody_there_is_said_in_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = NodeUrl.parse(f"http://127.0.0.1:{port}/{KEY}")
    test = nodecheck.examine(
        url, config=RpcConfig(nodes=(url,), allow_loopback=True), checkpoint=None
    )
    assert found(test) == {"answers": "fail"}
    assert "refused" in said(test, "answers")
    assert KEY not in repr(test)


@pytest.fixture
def silent() -> Iterator[NodeUrl]:
    """Takes connections and says nothing."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        yield NodeUrl.parse(f"http://127.0.0.1:{bound.getsockname()[1]}/")


def test_one_that_says_nothing_is_waited_for_no_longer_than_it_may_take(silent: NodeUrl) -> None:
    config = RpcConfig(nodes=(silent,), allow_loopback=True)
    started = time.monotonic()
    test = nodecheck.examine(silent, config=config, checkpoint=None, within_s=0.3)
    assert time.monotonic() - started < 2
    assert found(test) == {"answers": "fail"}


def test_an_address_that_is_not_allowed_is_never_dialled(silent: NodeUrl) -> None:
    test = nodecheck.examine(silent, config=RpcConfig(nodes=(silent,)), checkpoint=None)
    assert "NODE_PRIVATE_NETWORKS" in said(test, "answers")
    refusal = nodecheck.address_refusal(silent, AddressPolicy())
    assert refusal.startswith("127.0.0.1 is a loopback address")
    assert nodecheck.address_refusal(silent, AddressPolicy(allow_loopback=True)) == ""


def test_a_name_that_nobody_resolves_is_said() -> None:
    url = NodeUrl.parse("http://nobody.invalid/")
    assert "does not resolve" in nodecheck.address_refusal(url, AddressPolicy())
