"""A real web process over two real replicas: behind, gone, promoted; whoever wrote sees it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from console.embedded.cluster import Cluster
from tests.database.conftest import Browser, Site
from tests.fleet import wait_until
from tests.replicas.conftest import ask

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_LIST = "/validations/"
_RUN = (
    "INSERT INTO validation_run (state, title, total, priority, origin, node_urls, malformed,"
    " malformed_count, idempotency_key, request_digest, created_at, finished_at)"
    " VALUES ('done', %s, 0, 1, 'cli', '[]', '[]', 0, '', '', now(), now()) RETURNING id"
)
_PROFILE = "INSERT INTO validation_checkprofile (text) VALUES ('answered:pass') RETURNING id"
_RESULT = (
    "INSERT INTO validation_result (run_id, ordinal, subject, verdict, level, reason, node, ms,"
    " profile_id) VALUES (%s, 0, 'head', 'valid', 1, '', 'node', 1, %s)"
)


def reads(site: Site) -> Counter[str]:
    """How many went where, by /metrics."""
    text = Browser(site.port).ask("/metrics").text
    found = re.findall(r'^switchyard_db_reads_total\{target="(\w+)"\} (\S+)', text, re.MULTILINE)
    return Counter({target: int(float(number)) for target, number in found})


def used(site: Site) -> list[str]:
    """By the log of the process: the last word of each."""
    words: dict[str, bool] = {}
    for line in site.log.read_text().splitlines():
        if found := re.search(r"replica\.(in|out).*(replica_\d)", line):
            words[found[2]] = found[1] == "in"
    return sorted(name for name, is_in in words.items() if is_in)


@pytest.fixture
def both(site: Site) -> Site:
    wait_until(lambda: both_used(site), within_s=40, what="both replicas are in use")
    return site


@contextmanager
def standing_still(cluster: Cluster) -> Iterator[None]:
    """The replicas hear of everything and replay nothing."""
    for replica in cluster.replicas:
        ask(replica.url, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        for replica in cluster.replicas:
            ask(replica.url, "SELECT pg_wal_replay_resume()")


def run_named(cluster: Cluster, title: str) -> int:
    return int(ask(cluster.dsn, _RUN, title)[0][0])


def caught_up(cluster: Cluster) -> None:
    (at,) = ask(cluster.dsn, "SELECT pg_current_wal_insert_lsn()::text")[0]
    query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    wait_until(
        lambda: all(ask(replica.url, query, at) == [(True,)] for replica in cluster.replicas),
        within_s=10, what="the replicas have replayed all",
    )  # fmt: skip


def undisturbed(site: Site, cluster: Cluster, title: str, look: Callable[[str], None]) -> None:
    """Has `look` at a run of a title of its own while the replicas stand still: again, three times
    at most, where one was put out meanwhile. It is after five seconds, and then nothing is read
    from it, whatever a machine that stalls was about to ask.
    """
    for turn in (1, 2, 3):
        wait_until(lambda: both_used(site), within_s=40, what="both replicas are in use")
        caught_up(cluster)
        outs = put_out(site)
        try:
            with standing_still(cluster):
                return look(f"{title} {turn}")
        except AssertionError:
            if turn == 3 or put_out(site) == outs:
                raise
    return None


def put_out(site: Site) -> int:
    return site.log.read_text().count("replica.out")


def both_used(site: Site) -> bool:
    return used(site) == ["replica_1", "replica_2"]


def test_lists_are_read_from_replicas_and_what_they_lack_from_the_primary(
    both: Site, cluster: Cluster
) -> None:
    browser = both.browser()

    def look(unheard_of: str) -> None:
        before = reads(both)
        number = run_named(cluster, unheard_of)
        assert unheard_of not in browser.ask(_LIST).text
        # One that is not there yet is asked for again, and what an event announced never there.
        assert unheard_of in browser.ask(f"{_LIST}{number}/").text
        assert unheard_of in browser.ask(_LIST, **{"HX-Request": "true"}).text
        assert unheard_of not in browser.ask(f"{_LIST}?format=csv").text
        wait_until(lambda: (reads(both) - before)["replica"] >= 2, within_s=5, what="counted")
        assert (reads(both) - before)["again"] == 1

    undisturbed(both, cluster, "unheard of", look)


def test_whoever_wrote_sees_it_at_once(both: Site, cluster: Cluster) -> None:
    browser = both.browser()

    def look(mine: str) -> None:
        run_named(cluster, mine)
        page = browser.ask(_LIST).text
        assert mine not in page
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        body = f"csrfmiddlewaretoken={token[1]}&theme=dark"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert browser.ask("/settings/theme/", "POST", body, **kind).status < 400
        assert mine in browser.ask(_LIST).text
        # It is the person who wrote, not the browser: with a token she sees it too.
        assert mine in browser.ask("/api/v1/runs").text

    undisturbed(both, cluster, "mine", look)


def test_of_a_run_that_goes_on_a_replica_tells_nothing(both: Site, cluster: Cluster) -> None:
    """Or a download of what ended a moment ago would lack its last results, and not say so."""
    browser = both.browser()
    number = run_named(cluster, "at work")
    ask(cluster.dsn, "UPDATE validation_run SET state = 'running' WHERE id = %s", number)
    caught_up(cluster)
    with standing_still(cluster):
        ask(cluster.dsn, "UPDATE validation_run SET state = 'done' WHERE id = %s", number)
        profile = ask(cluster.dsn, _PROFILE)[0][0]
        ask(cluster.dsn, _RESULT, number, profile)
        for path in (f"{_LIST}{number}/results.ndjson", f"/api/v1/runs/{number}/results"):
            answer = browser.ask(path)
            assert (answer.status, '"subject":"head"' in answer.text) == (200, True), path


def test_one_that_ends_costs_no_answer_and_one_that_is_promoted_is_left(
    both: Site, cluster: Cluster
) -> None:
    browser = both.browser()
    first, second = cluster.replicas
    caught_up(cluster)
    try:
        first.kill9()
        answers = [browser.ask(_LIST) for _ in range(20)]
        assert {answer.status for answer in answers} == {200}
        # A request looks elsewhere after a quarter of a second; a busy machine adds to it, and may
        # stall in one of them.
        assert sorted(answer.took_s for answer in answers)[-2] < 2.0
        assert used(both) == ["replica_2"]
        ask(second.url, "SELECT pg_promote()")
        wait_until(lambda: used(both) == [], within_s=15, what="the promoted one is left")
        before = reads(both)
        assert browser.ask(_LIST).status == 200
        wait_until(lambda: (reads(both) - before)["primary"] > 0, within_s=5, what="counted")
    finally:
        first.start()
        second.restart()  # copied anew: its line is another
