"""The rules about those who watch: what is not asked for, or not checked, looks like peace."""

from typing import Final

from monitoring.alerts.rules import Rule, Said

_BEAT: Final = Rule(
    key="beat.silent",
    title="No beat process is up",
    group="workers",
    unit="count",
    breach="below",
    warning=None,
    critical=0.0,
    hold_s=30.0,
    page="/workers/",
    runbook="workers-silent",
    said=(Said(source="ours", says="what runs by the clock is asked for by beat"),),
    why="Leases of dead workers, plans of flags, the check of the audit trail and retention stand "
    "still. 30 s, so that a deploy is no alarm.",
)

_UNCHECKED: Final = Rule(
    key="audit.unchecked",
    title="The audit trail is not checked",
    group="console",
    unit="seconds",
    warning=120.0,
    critical=600.0,
    hold_s=0.0,
    page="/audit/",
    runbook="audit-broken",
    said=(Said(source="ours", says="any edit, gap or cut is found within 60 s"),),
    why="Four checks that are missing: the promise is off. Beat, the broker or the check is ill.",
)

RULES: Final = (_BEAT, _UNCHECKED)
