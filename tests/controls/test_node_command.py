"""`manage.py node`: the same acts at a terminal, where a key is read from standard input."""

import io

import pytest

from console import controls
from tests.controls.conftest import WHY, actor
from tests.controls.test_command import run
from validation.models import Catch
from validation.nodecheck import Finding, NodeTest
from validation.rpc import NodeUrl

pytestmark = pytest.mark.django_db
OWN = "127.0.0.1:9"
KEY = "hunter2verysecret"
SECRET = f"http://127.0.0.1:10/v3/{KEY}"
OTHER = NodeUrl.parse(SECRET).label
WHY_GIVEN = ("--reason", WHY)


def node(*arguments: str) -> tuple[int, str]:
    return run(*arguments, command="node")


def test_nodes_are_listed_with_what_they_were_caught_at() -> None:
    Catch.objects.create(label=OWN, subject="block:1", check_name="header_hash")
    status, said = node()
    assert status == 0
    assert f"1. {OWN}: caught, no data" in said
    assert "caught at header_hash ×1" in said
    assert node("list", "nobody:1")[0] == 2


def test_a_url_is_read_from_standard_input_and_its_key_is_not_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
    status, said = node("add", "-", *WHY_GIVEN)
    assert (status, KEY in said) == (0, False)
    assert f"{OTHER}: added" in said
    assert controls.url_of(OTHER).secret_url == SECRET
    assert node("move", OTHER, "1", *WHY_GIVEN)[0] == 0
    assert [place.label for place in controls.places()] == [OTHER, OWN]
    assert node("remove", OTHER, *WHY_GIVEN)[0] == 0


def test_a_cordon_says_when_nobody_is_left() -> None:
    controls.add_node(actor("admin"), SECRET, reason=WHY)
    assert "1 in service" in node("cordon", OTHER, *WHY_GIVEN)[1]
    assert "runs wait" in node("cordon", OWN, *WHY_GIVEN)[1]
    assert node("uncordon", OWN, *WHY_GIVEN)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cordon",), "name a node"),
        (("cordon", "nobody:1"), "There is no node"),
        (("move", OWN), "A place goes with"),
        (("cordon", OWN, "--for", "5m"), "has no end"),
        (("remove", OWN), "NODE_URLS"),
        (("add", f"ftp://{KEY}@node.example"), "url"),
    ],
)
def test_what_is_refused_ends_with_2(arguments: tuple[str, ...], says: str) -> None:
    status, said = node(*arguments)
    assert (status, says in said, KEY in said) == (2, True, False)


def test_a_test_ends_with_1_where_something_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding(name="proofs", status="fail", said="Does not serve eth_getProof.")
    told = NodeTest(node=OWN, ms=1.0, findings=(finding,))
    monkeypatch.setattr("validation.nodecheck.examine", lambda *_, **__: told)
    status, said = node("test", OWN)
    assert (status, said) == (1, "fail  proofs: Does not serve eth_getProof.\n")
