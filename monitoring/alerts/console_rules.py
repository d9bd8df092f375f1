"""The rules about the console itself: its answers, its history, its trail, what it tells."""

from typing import Final

from monitoring.alerts.promql import least_share
from monitoring.alerts.rules import Rule, Said

_FAILED: Final = 'switchyard_http_request_duration_seconds_count{status=~"5.."}'
_ALL: Final = "switchyard_http_request_duration_seconds_count"
_UPTIME: Final = (
    Said(source="002", says="99.9 % uptime"),
    Said(source="000", says="99.9 to 99.95 % uptime"),
)


_BURN_FAST: Final = Rule(
    key="http.burn_fast",
    title="The console fails so often that the month's budget ends in two days",
    group="console",
    unit="count",
    warning=None,
    critical=14.4,
    hold_s=0.0,
    clear_s=60.0,
    least=200.0,
    mutes=("http.burn_slow",),
    page="/",
    runbook="error-budget",
    expr=f"{least_share(_FAILED, _ALL, '5m', '1h')} / 0.001",
    said=(
        *_UPTIME,
        Said(source="ours", says="14.4 over 1 h and 5 min: Google's SRE workbook, chapter 5"),
    ),
    why="Of 1 000 requests one may end in 5xx. Both windows must pass it.",
)

_BURN_SLOW: Final = Rule(
    key="http.burn_slow",
    title="The console fails so often that the month's budget ends in five days",
    group="console",
    unit="count",
    warning=6.0,
    critical=None,
    hold_s=0.0,
    clear_s=300.0,
    least=500.0,
    page="/",
    runbook="error-budget",
    expr=f"{least_share(_FAILED, _ALL, '30m', '6h')} / 0.001",
    said=(
        *_UPTIME,
        Said(source="ours", says="6 over 6 h and 30 min: Google's SRE workbook, chapter 5"),
    ),
    why="As the fast one, for what smoulders.",
)

_ERRORS: Final = Rule(
    key="http.errors",
    title="The console answers with errors",
    group="console",
    unit="ratio",
    warning=0.01,
    critical=0.02,
    hold_s=120.0,
    clear_s=60.0,
    least=100.0,
    page="/",
    runbook="error-budget",
    expr=least_share(_FAILED, _ALL, "1m", "5m"),
    said=(
        Said(source="001", says="critical above 2 % for 2 min; the target is below 0.5 %"),
        Said(source="002", says="watch above 1 %"),
        Said(source="004", says="at most 1 %"),
    ),
    why="Two warn at 1 %, one is woken at 2 %; 0.5 % is a goal. 5xx alone, in 5 minutes "
    "and in the last one: what is over is not told.",
)

_SLOW: Final = Rule(
    key="http.slow",
    title="More than one of twenty requests takes longer than 100 ms",
    group="console",
    unit="ratio",
    warning=0.05,
    critical=None,
    hold_s=300.0,
    clear_s=120.0,
    least=200.0,
    page="/",
    runbook="error-budget",
    expr="1 - sum(rate(switchyard_http_request_duration_seconds_bucket"
    f'{{le="0.1"}}[5m])) / sum(rate({_ALL}[5m]))',
    said=(
        Said(source="001", says="warning: p95 above 100 ms for 10 min"),
        Said(source="003", says="p95 below 200 ms"),
        Said(source="004", says="p95 at most 80 ms; alert above 100 ms"),
        Said(source="001", says="p95 below 60 ms in the end"),
    ),
    why="One of twenty above 100 ms is a p95 above 100 ms, and adds up over processes, which "
    "percentiles do not. 60 and 80 ms are goals. Slow is not down: never critical.",
)

_P99: Final = Rule(
    key="http.p99",
    title="More than one of a hundred requests takes longer than 150 ms",
    group="console",
    unit="ratio",
    warning=0.01,
    critical=None,
    hold_s=300.0,
    clear_s=120.0,
    least=1_000.0,
    page="/",
    runbook="error-budget",
    expr="1 - sum(rate(switchyard_http_request_duration_seconds_bucket"
    f'{{le="0.15"}}[5m])) / sum(rate({_ALL}[5m]))',
    said=(
        Said(source="001", says="critical: p99 above 150 ms for 5 min"),
        Said(source="002", says="watch p99 above 150 ms"),
    ),
    why="One of a hundred above 150 ms is a p99 above 150 ms. Of 1 000 requests and more: of fewer "
    "a p99 is chance. Nobody is woken for it, as 001 would: 99 of a hundred are well served.",
)

_HISTORY: Final = Rule(
    key="history.silent",
    title="No figures are kept",
    group="console",
    unit="seconds",
    warning=60.0,
    critical=300.0,
    hold_s=30.0,
    page="/database/",
    runbook="history-silent",
    said=(Said(source="ours", says="figures are kept every 10 s"),),
    why="Six that are missing. What rests on history is not judged meanwhile: rates and budgets. "
    "Held for 30 s: after a night off, the first figure is on its way.",
)

_AUDIT: Final = Rule(
    key="audit.broken",
    title="The audit trail is not whole",
    group="console",
    unit="count",
    warning=None,
    critical=1.0,
    hold_s=0.0,
    page="/audit/",
    runbook="audit-broken",
    said=(Said(source="ours", says="any edit, gap or cut is found within 60 s"),),
    why="1 where the last check found it broken.",
)

_FLAGS: Final = Rule(
    key="flags.stale",
    title="Workers do not have the newest flags",
    group="workers",
    unit="count",
    warning=1.0,
    critical=None,
    hold_s=30.0,
    page="/flags/",
    runbook="flags-stale",
    said=(Said(source="ours", says="a change reaches every worker within a second"),),
    why="How many processes that are up decide by older ones.",
)

_UNDELIVERED: Final = Rule(
    key="notifications.undelivered",
    title="Alerts do not reach a destination",
    group="console",
    subject="destination",
    unit="count",
    warning=1.0,
    critical=None,
    hold_s=0.0,
    page="/alerts/",
    runbook="notifications-undelivered",
    said=(Said(source="001", says="PagerDuty, Slack and e-mail by severity"),),
    why="How many are on their way for five minutes, or were given up in the last hour. Other "
    "destinations are told of it.",
)

_TAKEN_BACK: Final = Rule(
    key="rollout.rolled_back",
    title="A rollout was taken back by itself",
    group="console",
    subject="flag",
    unit="count",
    warning=1.0,
    critical=None,
    hold_s=0.0,
    # It is told while the flag cools down.
    absent="clear",
    page="/flags/",
    runbook="rollouts",
    said=(Said(source="ours", says="two bad windows take a rollout back, and say so"),),
    why="The flag is safe again; why the variant was worse is somebody's to find out.",
)

_HELD: Final = Rule(
    key="rollout.held",
    title="A rollout is held: nothing tells how its units fare",
    group="console",
    subject="flag",
    unit="count",
    warning=1.0,
    critical=None,
    hold_s=0.0,
    absent="clear",
    page="/flags/",
    runbook="rollouts",
    said=(Said(source="ours", says="missing data holds at once and alerts"),),
    why="Some have a variant of which nobody knows how it does.",
)

_STOPPED: Final = Rule(
    key="rollout.stopped",
    title="Rollouts are stopped: too many were taken back",
    group="console",
    unit="count",
    warning=None,
    critical=1.0,
    hold_s=0.0,
    page="/flags/",
    runbook="rollouts",
    said=(Said(source="ours", says="more than three in ten minutes stop the automation"),),
    why="That many at once are rarely the variants' fault: look before any goes on.",
)

_UNWATCHED: Final = Rule(
    key="rollout.unwatched",
    title="Nobody watches a rollout",
    group="console",
    subject="flag",
    unit="count",
    warning=None,
    critical=1.0,
    hold_s=0.0,
    absent="clear",
    page="/flags/",
    runbook="rollouts",
    said=(Said(source="ours", says="a rollout is looked at each second"),),
    why="Some have the variant, and nobody would take it back.",
)

RULES: Final = (
    *(_BURN_FAST, _BURN_SLOW, _ERRORS, _SLOW, _P99, _HISTORY, _AUDIT, _FLAGS, _UNDELIVERED),
    *(_TAKEN_BACK, _HELD, _STOPPED, _UNWATCHED),
)
