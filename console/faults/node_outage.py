"""Has every call to the demo node fail."""

import http.client
import json
from contextlib import closing
from typing import Any

from django.conf import settings

from console.faults.fault import CannotCause, Fault, Memo
from validation.rpc import NodeUrl

_ASK_S = 5


def _prepare() -> Memo:
    if not settings.NODES:
        raise CannotCause("There is no node (NODE_URLS).")
    for node in settings.NODES:
        if (found := _asked(node)) is not None:
            if found["error_rate"] == 1:
                raise CannotCause(f"{node.label} fails already: POST error_rate 0 at /_control.")
            return {"label": node.label, "error_rate": json.dumps(found["error_rate"])}
    raise CannotCause("No node here is a demo node (`manage.py devnode`), and others are not ours.")


def _asked(node: NodeUrl) -> dict[str, Any] | None:
    """The settings of a demo node; None: it is none, or does not answer."""
    try:
        found = _control(node, "GET", None)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    settings_of = found.get("settings") if isinstance(found, dict) else None
    return settings_of if isinstance(settings_of, dict) and "error_rate" in settings_of else None


def _cause(memo: Memo) -> None:
    _set(memo, 1)


def _heal(memo: Memo) -> None:
    _set(memo, json.loads(memo["error_rate"]))


def _set(memo: Memo, error_rate: float) -> None:
    [node] = [node for node in settings.NODES if node.label == memo["label"]]
    try:
        _control(node, "POST", json.dumps({"error_rate": error_rate}))
    except (OSError, http.client.HTTPException, ValueError) as exc:
        said = type(exc).__name__
        raise CannotCause(f"{node.label} does not take orders at /_control ({said}).") from exc


def _control(node: NodeUrl, method: str, body: str | None) -> Any:
    """ValueError where what comes is not JSON."""
    link = http.client.HTTPConnection(node.host, node.port, timeout=_ASK_S)
    with closing(link):
        link.request(method, "/_control", body, {"Content-Type": "application/json"})
        return json.loads(link.getresponse().read())


FAULT = Fault(
    name="node-outage",
    does="Every call to the demo node fails.",
    look="/nodes/ and /breakers/ (its breakers open); runs wait and lose nothing",
    rule="node.down",
    runbook="node-outage",
    prepare=_prepare,
    cause=_cause,
    heal=_heal,
)
