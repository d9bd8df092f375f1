"""A node's drill: run by an operator, kept, shown level by level; refused where it cannot run."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console import drills
from tests.devnode.asking import Over
from tests.devnode.conftest import chain, serving
from tests.pages.conftest import Page
from validation.checkpoint import Checkpoint
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.rpc import NodeUrl

__all__ = ["chain", "serving"]

type See = Callable[..., Page]

NOWHERE = "/nodes/127.0.0.1:9/drill/"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for some lies, and not for all of them."""
    monkeypatch.setattr(drills, "LONGEST_S", 1.0)


@pytest.fixture
def url(
    chain: Chain,
    serving: Callable[[App], Over],
    settings: Any,
) -> str:
    """The drill's page of a node that answers, the only one of the deployment."""
    node = NodeUrl.parse(serving(create_app(chain)).url)
    settings.NODES, settings.NODE_CHAIN_ID = (node,), chain.chain_id
    settings.CHECKPOINT = Checkpoint(chain.latest, chain.blocks[chain.latest])
    return f"/nodes/{node.label}/drill/"


def test_a_drill_nobody_ran_explains_itself(operator: Client, viewer: Client, see: See) -> None:
    page = see(operator, NOWHERE)
    assert "What would this node have to do to fool us?" in page.text
    assert "Nobody asked yet." in page.text
    assert "Run the drill" in page.text
    assert "Run the drill" not in see(viewer, NOWHERE).text
    assert "It takes the role operator." in see(viewer, NOWHERE).text


@pytest.mark.usefixtures("short")
def test_what_it_finds_is_shown_kept_and_told_level_by_level(
    operator: Client, viewer: Client, see: See, url: str
) -> None:
    assert operator.post(url).status_code == 200
    page = see(viewer, url)
    assert "none of the" in page.text
    assert "Its time ran out" in page.text
    assert "tx-value one wei more is sent" in page.text
    believing = see(viewer, f"{url}?level=1")
    assert "To fool this deployment at level 1, well-formed" in believing.text
    assert "one wei more is sent tx-value nothing is computed from it before" in believing.text
    currents = [a for a in believing.all("a") if a.get("aria-current") == "true"]
    assert "?level=1" in {a["href"] for a in currents}
    assert "?level=nonsense" not in see(viewer, f"{url}?level=nonsense").hrefs()


@pytest.mark.usefixtures("short")
def test_the_api_gives_the_same(operator: Client, url: str) -> None:
    twin = "/api/v1" + url.removesuffix("/")
    assert operator.get(twin).status_code == 404
    told: dict[str, Any] = operator.post(twin).json()
    assert told["node"] in url
    assert "tx-value" in told["fooled_by"]["1"]
    assert "tx-value" not in told["fooled_by"]["2"]
    kinds = {item["kind"]: item["level"] for item in told["items"]}
    # Level 5 needs another node, and there is none.
    assert (kinds["tx"], kinds["head"], kinds["address"]) == (4, 4, 4)
    caught = {cell["by"] for cell in told["rows"][0]["cells"] if cell["told"] == "caught"}
    assert "hash" in caught
    assert operator.get(twin).json() == told


def test_a_node_that_cannot_be_asked_is_said_so(operator: Client) -> None:
    response = operator.post(NOWHERE)
    assert response.status_code == 502
    assert "127.0.0.1:9 could not be asked" in Page(response.content.decode()).text
    assert operator.post("/api/v1/nodes/127.0.0.1:9/drill").status_code == 502


def test_one_drill_runs_at_a_time(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile = list[Any]()

    def at_once(*_: object) -> None:
        meanwhile.append(operator.post(NOWHERE))
        meanwhile.append(operator.post("/api/v1/nodes/127.0.0.1:9/drill"))

    monkeypatch.setattr(drills, "in_time", at_once)
    assert operator.post(NOWHERE).status_code == 502  # it came to nothing
    assert [answer.status_code for answer in meanwhile] == [503, 503]
    assert all(answer["Retry-After"] == "20" for answer in meanwhile)
    assert not drills.is_running()


def test_a_viewer_runs_none(viewer: Client) -> None:
    assert viewer.post(NOWHERE).status_code == 403


def test_a_node_that_there_is_not_has_no_drill(operator: Client) -> None:
    for method in (operator.get, operator.post):
        assert method("/nodes/10.9.9.9:1/drill/").status_code == 404
        assert method("/api/v1/nodes/10.9.9.9:1/drill").status_code == 404
