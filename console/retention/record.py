"""What was dropped, put on record in the transaction that drops it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.access import audit
from console.access.audit import Actor

KIND = "retention"
ACTION = "drop"


def note(actor: Actor, target: str, said: str, until: datetime, counted: Mapping[str, Any]) -> None:
    """`said`: in words, how many of what; `until`: whatever is older is gone."""
    day = until.strftime("%Y-%m-%d %H:%M UTC")
    audit.record(
        actor,
        ACTION,
        kind=KIND,
        target=target,
        before={},
        after={**counted, "until": until.isoformat()},
        reason=f"{said}, from before {day}",
    )
