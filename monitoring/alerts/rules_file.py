"""The catalogue as Prometheus evaluates it: a file of recording and alert rules.

What has no expression the console alone knows. Traffic below which the console says nothing, and
what mutes what, have no words here: Alertmanager's own routes inhibit.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from monitoring.alerts.rules import Rule, Severity

HEAD: Final = """\
# Written by `manage.py prometheus_rules` from the catalogue of alerts: edit that instead.
# Rules whose figure is not in /metrics are judged by the console alone.
"""
_CALLS = "switchyard_rpc_requests_total"
_ITEMS = "switchyard_validations_total"
_LOOKUPS = "switchyard_cache_requests_total"
_REQUESTS = "switchyard_http_request_duration_seconds"


def _share(part: str, whole: str) -> str:
    """Of what never happened there is no series: that is none of all, where there is any."""
    return f"(sum(rate({part}[5m])) or 0 * sum(rate({whole}[5m]))) / sum(rate({whole}[5m]))"


def _p95(histogram: str) -> str:
    return f"histogram_quantile(0.95, sum by (le) (rate({histogram}_bucket[5m])))"


# What dashboards draw, and whoever looks back for months: computed once, as it happens.
RECORDS: Final[Mapping[str, str]] = {
    "switchyard:validations:rate5m": f"sum by (verdict) (rate({_ITEMS}[5m]))",
    "switchyard:validations_error:ratio_rate5m": _share(f'{_ITEMS}{{verdict="error"}}', _ITEMS),
    "switchyard:rpc:rate5m": f"sum by (outcome) (rate({_CALLS}[5m]))",
    "switchyard:rpc_errors:ratio_rate5m": _share(f'{_CALLS}{{outcome!="ok"}}', _CALLS),
    "switchyard:rpc_duration_seconds:p95_rate5m": _p95("switchyard_rpc_duration_seconds"),
    "switchyard:cache_hits:ratio_rate5m": _share(
        f'{_LOOKUPS}{{result=~"hit|negative|stale"}}', f'{_LOOKUPS}{{level="l1"}}'
    ),
    "switchyard:http_errors:ratio_rate5m": _share(
        f'{_REQUESTS}_count{{status=~"5.."}}', f"{_REQUESTS}_count"
    ),
    "switchyard:http_request_duration_seconds:p95_rate5m": _p95(_REQUESTS),
    "switchyard:queue_wait_seconds:p95_rate5m": _p95("switchyard_queue_wait_seconds"),
    "switchyard:pool_connections_used:ratio": (
        'sum by (pool) (switchyard_pool_connections{state="used"})'
        " / sum by (pool) (switchyard_pool_connections_max)"
    ),
}


def document(rules: Iterable[Rule]) -> str:
    """The file, in YAML; the same rules give the same bytes."""
    lines = [HEAD + "groups:"]
    lines += _group("switchyard-records", (_record(name) for name in RECORDS))
    lines += _group("switchyard-alerts", (alert for rule in rules for alert in _alerts(rule)))
    return "\n".join(lines) + "\n"


def alert_name(rule: Rule) -> str:
    """`db.pool_used` as `SwitchyardDbPoolUsed`."""
    return "Switchyard" + "".join(part.capitalize() for part in re.split(r"[._]", rule.key))


def _group(name: str, entries: Iterable[Mapping[str, object]]) -> Iterator[str]:
    yield f"  - name: {name}"
    yield "    rules:"
    for entry in entries:
        mark = "- "
        for field, value in entry.items():
            # JSON is YAML, with every text quoted.
            yield f"      {mark}{field}: {json.dumps(value, ensure_ascii=False)}"
            mark = "  "


def _record(name: str) -> Mapping[str, object]:
    return {"record": name, "expr": RECORDS[name]}


def _alerts(rule: Rule) -> Iterator[Mapping[str, object]]:
    """One for each severity that the rule has a threshold of."""
    if rule.expr:
        if rule.warning is not None:
            yield _alert(rule, "warning", rule.warning)
        if rule.critical is not None:
            yield _alert(rule, "critical", rule.critical)


def _alert(rule: Rule, severity: Severity, limit: float) -> Mapping[str, object]:
    reaches = ">=" if rule.breach == "above" else "<="
    return {
        "alert": alert_name(rule),
        "expr": f"({rule.expr}) {reaches} {limit:.12g}",
        "for": f"{rule.hold_s:.0f}s",
        "keep_firing_for": f"{rule.clear_s:.0f}s",
        "labels": {"severity": severity, "rule": rule.key, "group": rule.group},
        "annotations": {
            "summary": rule.title,
            "page": rule.page,
            "runbook": f"docs/runbooks/{rule.runbook}.md",
        },
    }
