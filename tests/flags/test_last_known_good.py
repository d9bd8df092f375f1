"""Without Postgres and Valkey a process goes on with what held last, also one that starts then."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from django.db import connection
from openfeature import api

from console.flags import last_known_good
from console.flags.keeping import Held, Keeper
from console.flags.last_known_good import Unusable
from console.flags.models import Flag
from console.flags.process import ProcessFlags
from tests.services import ROOT
from validation.models import Control

DOMAIN = "test-last-known-good"
# Nobody listens there.
DEAD = "127.0.0.1:9"
ASKS = """
import django
django.setup()
from django.conf import settings
from django.utils.module_loading import import_string
from openfeature import api
from validation import wiring
source = import_string(settings.FLAG_SOURCE)()
source.start()
client = api.get_client("validation")
try:
    source.refresh(wiring.connect())
except Exception as exc:
    print(type(exc).__name__)
print(client.get_string_value("rpc.retry", "?"), source.revision)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flags.json"


def begun(file: Path) -> ProcessFlags:
    """As in a process that starts."""
    flags = ProcessFlags(file, domains=(DOMAIN,))
    flags.start()
    return flags


def retry() -> str:
    return api.get_client(DOMAIN).get_string_value("rpc.retry", "?")


def stand(revision: int, stage: int) -> None:
    Flag.objects.filter(key="rpc.retry").update(stage=stage, revision=revision)
    Control.objects.update_or_create(
        kind="flags", name="", defaults={"revision": revision, "reason": "r", "actor": "a"}
    )


def link() -> psycopg.Connection[Any]:
    connection.ensure_connection()
    found: psycopg.Connection[Any] = connection.connection
    return found


@pytest.mark.django_db
def test_a_process_that_starts_with_both_servers_dead_has_what_held_last(tmp_path: Path) -> None:
    stand(21, stage=0)
    before = begun(tmp_path / "flags.json")
    assert before.refresh(link()) is True
    before.stop()
    assert retry() == "none"
    environment = os.environ | {
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"postgresql://nobody@{DEAD}/nothing",
        "REDIS_URL": f"redis://{DEAD}/0",
        "CELERY_BROKER_URL": f"redis://{DEAD}/1",
    }
    said = subprocess.run(
        [sys.executable, "-c", ASKS], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert said.stdout.split() == ["OperationalError", "none", "21"], said.stderr


@pytest.mark.django_db
def test_postgres_is_believed_over_the_file_though_its_revision_is_lower(file: Path) -> None:
    stand(40, stage=0)
    before = begun(file)
    before.refresh(link())
    before.stop()
    stand(12, stage=100)  # restored from a backup
    after = begun(file)
    assert (after.revision, retry()) == (40, "none")
    assert after.refresh(link()) is True
    assert (after.revision, retry()) == (12, "budgeted")
    after.stop()
    kept = last_known_good.load(file)
    assert kept is not None
    assert kept.revision == 12


@pytest.mark.django_db
def test_an_older_file_never_replaces_what_is_known(file: Path) -> None:
    flags = begun(file)
    flags.refresh(link())
    flags.stop()
    old = last_known_good.load(file)
    assert old is not None
    stand(3, stage=0)
    flags.refresh(link())
    assert flags.provider.set_document(old.document, old.revision) is False
    assert retry() == "none"


@pytest.mark.django_db
def test_nothing_new_writes_nothing(file: Path) -> None:
    flags = begun(file)
    flags.refresh(link())
    flags.stop()
    written = file.stat().st_mtime_ns
    assert flags.refresh(link()) is False
    flags.stop()
    assert file.stat().st_mtime_ns == written


def good(file: Path) -> dict[str, Any]:
    document = {"flags": {"rpc.retry": {
        "state": "ENABLED", "variants": {"none": "none"}, "defaultVariant": "none",
    }}}  # fmt: skip
    last_known_good.save(file, document, 5)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_what_was_written_is_read(file: Path) -> None:
    content = good(file)
    kept = last_known_good.load(file)
    assert kept is not None
    assert (kept.document, kept.revision) == (content["document"], 5)
    begun(file)
    assert retry() == "none"
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def damaged(file: Path, how: str) -> None:
    content = good(file)
    text = json.dumps(content, separators=(",", ":"))
    if how == "cut short":
        file.write_text(text[: len(text) // 2])
    elif how == "empty":
        file.write_text("")
    elif how == "no text":
        file.write_bytes(b"\xff\xfe\x00" * 50)
    elif how == "another variant":
        file.write_text(text.replace('"none":"none"', '"none":"mine"'))
    elif how == "another revision":
        file.write_text(json.dumps(content | {"revision": -3}))
    elif how == "too large":
        file.write_text(text + " " * last_known_good.LARGEST)
    else:
        last_known_good.save(file, {"flags": {"rpc.retry": {"state": "PERHAPS"}}}, 5)


@pytest.mark.parametrize(
    "how",
    [
        *("cut short", "empty", "no text", "another variant", "another revision", "too large"),
        "no flags of flagd's format",
    ],
)
def test_a_file_that_is_damaged_is_refused_and_said(file: Path, how: str) -> None:
    damaged(file, how)
    with structlog.testing.capture_logs() as lines:
        flags = begun(file)
    assert (flags.revision, retry()) == (0, "?")
    assert [line["event"] for line in lines] == ["flags.last_known_good_refused"]
    assert lines[0]["file"] == str(file)
    assert lines[0]["reason"]


def test_a_file_that_is_not_there_is_nothing_to_speak_of(file: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        assert begun(file).revision == 0
    assert lines == []


@pytest.mark.django_db
def test_a_disk_that_takes_nothing_keeps_no_flag_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    flags = begun(tmp_path / "file" / "flags.json")
    with structlog.testing.capture_logs() as lines:
        assert flags.refresh(link()) is True
        flags.stop()
    assert "flags.not_kept" in [line["event"] for line in lines]
    assert retry() == "budgeted"


def test_what_could_not_be_read_again_is_not_written(file: Path) -> None:
    with pytest.raises(Unusable):
        last_known_good.save(file, {"flags": "x" * last_known_good.LARGEST}, 1)
    assert not file.exists()


def document(n: int) -> dict[str, Any]:
    return {"flags": {}, "metadata": {"n": n}}


def kept(file: Path) -> tuple[int, object]:
    found = last_known_good.load(file)
    assert found is not None
    return found.revision, found.document["metadata"]["n"]


def test_a_process_that_is_late_does_not_undo_what_another_kept(file: Path) -> None:
    now = time.time()
    assert last_known_good.save(file, document(12), 12, read_at=now) is True
    assert last_known_good.save(file, document(11), 11, read_at=now + 0.1) is False
    assert kept(file) == (12, 12)
    # Restored from a backup: who saw it go down says so, and who comes later need not.
    assert last_known_good.save(file, document(7), 7, read_at=now, is_restored=True) is True
    assert last_known_good.save(file, document(6), 6, read_at=now + 60) is True
    assert kept(file) == (6, 6)
    file.write_text("damaged")
    assert last_known_good.save(file, document(1), 1, read_at=now) is True
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_many_processes_at_once_leave_the_newest(file: Path) -> None:
    """Threads with a lock of the file each are to the lock what processes are."""
    now = time.time()

    def save(n: int) -> None:
        last_known_good.save(file, document(n), n, read_at=now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, random.sample(range(1, 41), 40)))
    assert kept(file) == (40, 40)


def test_a_slow_disk_keeps_nobody_waiting_and_gets_the_newest(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, goes_on, written = threading.Event(), threading.Event(), []
    save = last_known_good.save

    def slow(path: Path, held: Any, revision: int, **told: Any) -> bool:
        begins.set()
        assert goes_on.wait(10)
        written.append((revision, held["metadata"]["n"]))
        return save(path, held, revision, **told)

    monkeypatch.setattr(last_known_good, "save", slow)
    keeper = Keeper(file)
    for n in range(1, 20):
        keeper.keep(Held(document=document(n), revision=n, read_at=time.time(), is_restored=False))
        if n == 1:
            assert begins.wait(10)
    assert written == []  # nineteen times, and the first is not on the disk yet
    goes_on.set()
    keeper.stop()
    assert written == [(1, 1), (19, 19)]
    assert kept(file) == (19, 19)
    keeper.keep(Held(document=document(20), revision=20, read_at=time.time(), is_restored=False))
    keeper.stop()
    assert kept(file) == (20, 20)
