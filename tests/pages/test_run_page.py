"""One validation: what came of it, its items by filter and page, and what each state offers."""

from collections.abc import Callable

import pytest
from django.db.models import F
from django.test import Client

from console.access.roles import Role
from console.pages import topics
from console.pages.run import named
from tests.pages.conftest import Page
from validation.models import Anchor, Chunk, Item, Result, Retraction, Run, RunState

See = Callable[..., Page]
MIX = {
    "valid": ("ok", 6),
    "invalid": ("hash_mismatch", 1),
    "not_found": ("not_found", 2),
    "error": ("node_timeout", 3),
}


def test_verdicts_reasons_and_states(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    page = see(operator, f"/validations/{run.pk}/")
    assert "Done · 1 invalid" in page.text
    assert "3 The node did not answer in time. node_timeout" in page.text
    assert "Retry 6 not valid" in page.text
    assert "Cancel" not in page.text
    assert "/events" not in page.html  # nothing moves any more


def test_a_running_one_is_live_and_can_be_cancelled(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(20, state=RunState.RUNNING, mix=MIX)
    page = see(operator, f"/validations/{run.pk}/")
    assert f'hx-sse:connect="/events?topics=run:{run.pk},firing"' in page.html
    assert "Cancel 8 waiting" in page.text
    assert "Retry" not in page.text


@pytest.mark.parametrize(
    ("query", "of"),
    [
        ("", 20),
        ("verdict=invalid", 1),
        ("verdict=not_valid", 6),
        ("verdict=waiting", 8),
        ("reason=node_timeout", 3),
        ("verdict=error&reason=node_timeout", 3),
        ("verdict=valid&reason=node_timeout", 0),
        ("verdict=unverifiable", 0),
        ("verdict=nonsense&after=-7", 20),
    ],
)
def test_filters(
    operator: Client, see: See, made_run: Callable[..., Run], query: str, of: int
) -> None:
    run = made_run(20, state=RunState.CANCELLED, mix=MIX)
    text = see(operator, f"/validations/{run.pk}/?{query}").text
    if not of:
        assert "None match" in text
    else:
        assert f"Showing {of} of {of}" in text


def test_items_page_by_key(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    run = made_run(250, mix={"valid": ("ok", 250)})
    first = see(operator, f"/validations/{run.pk}/")
    assert "Showing 50 of 250" in first.text
    assert "?after=49" in first.hrefs()
    last = see(operator, f"/validations/{run.pk}/?after=199")
    assert "Showing 50 of 250" in last.text
    assert "block:200" in last.text
    assert "rel" not in last.hrefs()
    assert "Next 50" not in last.text


def test_a_filtered_page_keeps_its_filter(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(150, mix={"error": ("node_timeout", 150)})
    page = see(operator, f"/validations/{run.pk}/?verdict=error&reason=node_timeout")
    assert "?verdict=error&reason=node_timeout&after=49" in page.hrefs()


def test_htmx_gets_the_items_alone(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    page = see(operator, f"/validations/{run.pk}/", **{"HX-Request": "true"})
    assert page.tags[0][1]["id"] == "run-list"
    assert "run-tabs" not in page.ids()


def test_all_counts_of_a_running_one_come_with_one_reading(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    """What the items' own refresh brings, at another moment, counts nothing."""
    run = made_run(150, state=RunState.RUNNING, mix=MIX)
    regions = {
        name: Page(html) for name, html in topics.render_run(str(run.pk), Role.ADMIN).items()
    }
    assert {name: page.ids()[0] for name, page in regions.items()} == {n: n for n in regions}
    assert "Cancel 138 waiting" in regions["run-actions"].text
    assert "Waiting 138" in regions["run-tabs"].text
    assert "Not valid 6" in regions["run-tabs"].text
    assert "12 of 150" in regions["run-live"].text
    alone = see(operator, f"/validations/{run.pk}/", **{"HX-Request": "true"}).text
    assert "Showing 50 Next 50" in alone
    assert "150" not in alone
    assert "138" not in alone


def test_the_tab_one_looks_at_is_marked_and_empty_ones_are_left_out_of_sight(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    page = see(operator, f"/validations/{run.pk}/?verdict=invalid")
    tabs = {a["id"]: a for a in page.all("a") if (a.get("id") or "").startswith("run-tab-")}
    assert [i for i, a in tabs.items() if a.get("aria-current")] == ["run-tab-invalid"]
    empty = {i for i, a in tabs.items() if a["class"] == "has-none"}
    assert empty == {"run-tab-unverifiable", "run-tab-waiting"}
    # A live update has no address to know the tab from: the page's own mark stays.
    assert '"aria-current"' in page.html.partition("morphIgnore")[2].partition("]")[0]


def test_a_long_subject_can_be_cut_in_its_middle_and_read_whole(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(1)
    subject = "tx:0x" + "ab" * 28 + "12345678"
    Item.objects.filter(run=run).update(subject=subject)
    page = see(operator, f"/validations/{run.pk}/")
    (link,) = [a for a in page.all("a") if a.get("class") == "mono cut"]
    assert link["title"] == link["aria-label"] == subject
    assert f"<span>{subject[:-8]}</span><span>12345678</span>" in page.html


def test_an_item_tells_its_checks(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    run = made_run(12, mix=MIX)
    page = see(operator, f"/validations/{run.pk}/items/6/")
    assert "block:6" in page.text
    assert "Fail" in page.text
    assert "computed <0xab>" in page.text
    assert "node.example:8545" in page.text
    assert f"/validations/{run.pk}/items/5/" in page.hrefs()


def test_an_item_that_waits(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    run = made_run(5, state=RunState.RUNNING)
    assert (
        "No worker has validated it yet." in see(operator, f"/validations/{run.pk}/items/4/").text
    )
    gone = made_run(5, state=RunState.CANCELLED)
    assert "was cancelled" in see(operator, f"/validations/{gone.pk}/items/4/").text


@pytest.mark.parametrize("address", ["/validations/999999/", "/validations/999999/items/0/"])
def test_no_such_run(operator: Client, address: str, db: None) -> None:
    assert operator.get(address).status_code == 404


def test_no_such_item(operator: Client, made_run: Callable[..., Run]) -> None:
    run = made_run(3)
    assert operator.get(f"/validations/{run.pk}/items/3/").status_code == 404


def test_node_urls_of_a_run_never_show(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX, node_urls=["https://user:hush@node.example/key-s3cret"])
    for address in ("", "items/0/", "?verdict=valid"):
        html = see(operator, f"/validations/{run.pk}/{address}").html
        assert "hush" not in html
        assert "s3cret" not in html


@pytest.mark.parametrize("form", ["ndjson", "csv", "json"])
def test_exports_are_linked_and_served(
    operator: Client, see: See, made_run: Callable[..., Run], form: str
) -> None:
    run = made_run(12, mix=MIX)
    href = f"/validations/{run.pk}/results.{form}"
    assert href in see(operator, f"/validations/{run.pk}/").hrefs()
    for address in (href, f"/validations/{run.pk}/?format={form}"):
        body = b"".join(operator.get(address))
        assert body.count(b"hash_mismatch") == 1


def taken_back(run: Run, ordinals: range, *, block: int = 123) -> None:
    """As a worker leaves it: result, counts and the memory of what it was."""
    for ordinal in ordinals:
        Retraction.objects.create(
            run=run, ordinal=ordinal, verdict="valid", level=2, reason="ok", block_number=block,
            block_hash="0x" + "c3" * 32,
        )  # fmt: skip
        block += 1
    gone = Result.objects.filter(run=run, ordinal__in=ordinals)
    gone.update(verdict="unverifiable", level=0, reason="reorganised")
    moved = len(ordinals)
    Chunk.objects.filter(run=run, first=0).update(
        valid=F("valid") - moved, unverifiable=F("unverifiable") + moved
    )


def test_verdicts_taken_back_are_told_and_can_be_retried(
    operator: Client, viewer: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    taken_back(run, range(3))
    page = see(operator, f"/validations/{run.pk}/")
    assert "3 verdicts were taken back at " in page.text
    assert "blocks 123 to 125 were reorganised away" in page.text
    assert f"/validations/{run.pk}/retry/?reason=reorganised" in page.hrefs()
    assert "Showing 3 of 3" in see(operator, f"/validations/{run.pk}/?reason=reorganised").text
    asked = see(operator, f"/validations/{run.pk}/retry/?reason=reorganised")
    assert "Retry 3 items" in asked.text
    operator.post(f"/validations/{run.pk}/retry/?reason=reorganised")
    assert Run.objects.get(retry_of=run).total == 3
    seen = see(viewer, f"/validations/{run.pk}/")
    assert "3 verdicts were taken back" in seen.text
    assert f"/validations/{run.pk}/retry/?reason=reorganised" not in seen.hrefs()


def test_one_taken_back_while_the_run_goes_on_waits_for_its_end(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(20, state=RunState.RUNNING, mix=MIX)
    taken_back(run, range(1))
    live = Page(topics.render_run(str(run.pk), Role.OPERATOR)["run-live"])
    assert "1 verdict was taken back at " in live.text
    assert "block 123 was reorganised away" in live.text
    assert "retry" not in live.hrefs()


def test_nothing_is_said_of_it_where_every_verdict_stands(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    assert "taken back" not in see(operator, f"/validations/{made_run(12, mix=MIX).pk}/").text


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ((7,), "block 7 was"),
        ((7, 7), "block 7 was"),
        ((7, 8), "blocks 7 and 8 were"),
        ((7, 8, 9), "blocks 7 to 9 were"),
        ((7, 9, 20), "3 blocks between 7 and 20 were"),
    ],
)
def test_blocks_are_named_in_words(blocks: tuple[int, ...], said: str) -> None:
    assert named(blocks) == said


def test_one_that_ended_stays_live_while_its_blocks_are_not_final(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    Anchor.objects.create(run=run, ordinal=0, block_number=5, block_hash="0x" + "a1" * 32)
    assert f"/events?topics=run:{run.pk}" in see(operator, f"/validations/{run.pk}/").html


def test_an_item_tells_its_source_its_age_and_its_block(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    Result.objects.filter(run=run, ordinal=1).update(source="l2", age_s=42)
    Anchor.objects.create(run=run, ordinal=1, block_number=5, block_hash="0x" + "a1" * 32)
    first = see(operator, f"/validations/{run.pk}/items/0/").text
    assert "the node, asked then" in first
    assert "none that can still be reorganised away" in first
    second = see(operator, f"/validations/{run.pk}/items/1/").text
    assert "l2 cache, 42 s old then" in second
    assert "5 0x" + "a1" * 32 + " not final yet" in second
    own = made_run(12, mix=MIX, node_urls=["https://node.example/"])
    assert "named nodes of its own" in see(operator, f"/validations/{own.pk}/items/0/").text


def test_an_item_that_was_taken_back_tells_what_it_was(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(12, mix=MIX)
    taken_back(run, range(1))
    text = see(operator, f"/validations/{run.pk}/items/0/").text
    assert "Unverifiable" in text
    assert "It was Valid level 2, ok" in text
    assert "123 0x" + "c3" * 32 + " is in the chain no more" in text
