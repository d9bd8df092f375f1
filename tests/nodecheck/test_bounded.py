"""What cannot be cancelled is waited for so long and no longer; a defect is no lateness."""

import asyncio
import threading
import time

import pytest
from structlog.testing import capture_logs

from validation.nodecheck import bounded
from validation.nodecheck.bounded import in_time


def test_it_gives_what_is_back_in_time() -> None:
    async def told() -> str:
        return "told"

    assert in_time(told, 5) == "told"


def test_what_fails_is_raised_where_it_is_waited_for() -> None:
    async def defective() -> None:
        raise ZeroDivisionError("a defect")

    with pytest.raises(ZeroDivisionError, match="a defect"):
        in_time(defective, 5)


def test_what_cannot_be_cancelled_is_left_behind_and_its_failure_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "_GRACE_S", 0.0)
    let_go = threading.Event()

    def resolve() -> None:
        let_go.wait(30)
        raise OSError("resolved too late")

    async def hanging() -> None:
        await asyncio.to_thread(resolve)

    before = set(threading.enumerate())
    with capture_logs() as logs:
        started = time.monotonic()
        assert in_time(hanging, 0.05) is None
        assert time.monotonic() - started < 10
        let_go.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
    [line] = logs
    assert line["event"] == "in_time.failed_late"
    assert str(line["exc_info"]) == "resolved too late"
