"""The rules about processes (worker, web, beat): what holds up all that one of them serves."""

from typing import Final

from monitoring.alerts.rules import Rule, Said

_LOOP_LAG: Final = Rule(
    key="process.loop_lag",
    title="An event loop is held up",
    group="workers",
    subject="process",
    unit="seconds",
    warning=0.1,
    critical=None,
    hold_s=300.0,
    clear_s=60.0,
    page="/workers/",
    runbook="processes-held-up",
    expr="max by (process) (switchyard_process_event_loop_lag_seconds)",
    said=(Said(source="002", says="watch an event loop lag above 100 ms"),),
    why="The latest timer of ten seconds, in the process of its kind that is worst. In each ten "
    "seconds of five minutes: large blocks that take long to check do that for as long as they "
    "last. What the loop serves is late, not lost.",
)

_GC_PAUSE: Final = Rule(
    key="process.gc_pause",
    title="Collecting garbage stops a process for long",
    group="workers",
    subject="process",
    unit="seconds",
    warning=0.2,
    critical=None,
    hold_s=300.0,
    clear_s=60.0,
    page="/workers/",
    runbook="processes-held-up",
    expr="max by (process) (switchyard_process_gc_pause_worst_seconds)",
    said=(
        Said(source="002", says="watch pauses above 200 ms"),
        Said(source="001", says="pauses below 50 ms"),
    ),
    why="The longest stop of ten seconds, in the process of its kind that is worst. In each ten "
    "seconds of five minutes: one long stop is no news. 50 ms is a goal.",
)

_CPU: Final = Rule(
    key="process.cpu",
    title="Web processes have little processor left",
    group="console",
    subject="process",
    unit="ratio",
    warning=0.70,
    critical=None,
    hold_s=600.0,
    clear_s=120.0,
    page="/workers/",
    runbook="processes-held-up",
    expr='sum by (process) (switchyard_process_cpu_ratio{process="web"})'
    ' / sum by (process) (switchyard_processes{process="web"})',
    said=(Said(source="001", says="CPU below 70 %"),),
    why="A goal of the system. Workers are there to keep processors busy: of them it would be an "
    "alarm at each run. Threads of a web process share one interpreter, so one processor is all "
    "it has: in the mean of all of them, for ten minutes, requests wait for each other.",
)

RULES: Final = (_LOOP_LAG, _GC_PAUSE, _CPU)
