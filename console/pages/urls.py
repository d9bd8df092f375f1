"""The addresses of the pages."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from console import sse
from console.pages import (
    acts,
    alert,
    alert_acts,
    alerts,
    audit,
    breaker,
    breaker_acts,
    breakers,
    cache_acts,
    caches,
    capacity,
    database,
    drill,
    experiment,
    find,
    flag,
    flag_acts,
    flag_definitions,
    flag_files,
    flag_freezes,
    flags,
    items,
    new_run,
    node,
    node_acts,
    nodes,
    optimisation,
    optimisation_acts,
    overview,
    pools,
    preferences,
    proofs,
    reverts,
    roadmap_files,
    rollout_acts,
    run,
    runbooks,
    runs,
    tokens,
    workers,
)


class BreakerName(StringConverter):
    """`l2`, `node:127.0.0.1:8545:lookup`; of a node its label, with '~' for '#'."""

    regex = sse.NAME.pattern


class FlagKey(StringConverter):
    """`cache.l1_eviction`. Never `-`, which stands for all flags."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class OptimisationKey(StringConverter):
    """`1.6`, `bn.2`, `ov.3.1`."""

    regex = r"[a-z0-9]+(?:\.[a-z0-9]+)+"


register_converter(BreakerName, "breaker")
register_converter(FlagKey, "flag")
register_converter(OptimisationKey, "optimisation")

urlpatterns = [
    path("", overview.show, name="overview"),
    path("validations/", runs.show, name="runs"),
    path("validations/new/", new_run.show, name="run-new"),
    path("validations/new/preview/", new_run.preview, name="run-preview"),
    path("validations/<int:pk>/", run.show, name="run"),
    path("validations/<int:pk>/items/<int:ordinal>/", items.show, name="run-item"),
    path("validations/<int:pk>/items/<int:ordinal>/again/", proofs.again, name="run-item-again"),
    path("validations/<int:pk>/items/<int:ordinal>/proof/", proofs.proof, name="run-item-proof"),
    path("validations/<int:pk>/start/", acts.start, name="run-start"),
    path("validations/<int:pk>/discard/", acts.discard, name="run-discard"),
    path("validations/<int:pk>/cancel/", acts.cancel, name="run-cancel"),
    path("validations/<int:pk>/retry/", acts.retry, name="run-retry"),
    path("breakers/", breakers.show, name="breakers"),
    path("breakers/<breaker:name>/", breaker.show, name="breaker"),
    *(
        path(
            f"breakers/<breaker:name>/{what}/",
            breaker_acts.act,
            {"what": what},
            name=f"breaker-{what}",
        )
        for what in breaker_acts.ACTS
    ),
    path("nodes/", nodes.show, name="nodes"),
    path("nodes/add/", node_acts.add, name="node-add"),
    path("nodes/test/", node_acts.try_url, name="node-try"),
    path("nodes/<breaker:label>/", node.show, name="node"),
    path("nodes/<breaker:label>/test/", node_acts.test, name="node-test"),
    path("nodes/<breaker:label>/drill/", drill.show, name="node-drill"),
    *(
        path(f"nodes/<breaker:label>/{what}/", node_acts.act, {"what": what}, name=f"node-{what}")
        for what in node_acts.ACTS
    ),
    path("pools/", pools.show, name="pools"),
    path("database/", database.show, name="database"),
    path("capacity/", capacity.show, name="capacity"),
    path("caches/", caches.show, name="caches"),
    path("caches/purge/", cache_acts.purge, name="cache-purge"),
    path("caches/resize/", cache_acts.resize, name="cache-resize"),
    path("flags/", flags.show, name="flags"),
    path("flags/-/add/", flag_definitions.add, name="flag-add"),
    path("flags/-/import/", flag_files.bring, name="flags-import"),
    path("flags/-/export/", flag_files.export, name="flags-export"),
    path("flags/-/freeze/", flag_freezes.freeze, name="flags-freeze"),
    path("flags/-/thaw/", flag_freezes.thaw, name="flags-thaw"),
    path("flags/<flag:key>/", flag.show, name="flag"),
    path("flags/<flag:key>/edit/", flag_definitions.edit, name="flag-edit"),
    path("flags/<flag:key>/delete/", flag_definitions.delete, name="flag-delete"),
    path("flags/<flag:key>/export/", flag_files.export, name="flag-export"),
    path("flags/<flag:key>/freeze/", flag_freezes.freeze, name="flag-freeze"),
    path("flags/<flag:key>/thaw/", flag_freezes.thaw, name="flag-thaw"),
    *(
        path(f"flags/<flag:key>/{what}/", flag_acts.act, {"what": what}, name=f"flag-{what}")
        for what in flag_acts.ACTS
    ),
    path("flags/-/rollouts-on/", rollout_acts.go_on, name="rollouts-on"),
    path("flags/<flag:key>/ramp/", rollout_acts.ramp, name="flag-ramp"),
    path("flags/<flag:key>/rehearse/", rollout_acts.rehearse, name="flag-rehearse"),
    *(
        path(f"flags/<flag:key>/{what}/", rollout_acts.act, {"what": what}, name=f"flag-{what}")
        for what in rollout_acts.ACTS
    ),
    path("find/", find.show, name="find"),
    path("roadmap/", roadmap_files.show, name="roadmap"),
    path("roadmap/export.csv", roadmap_files.as_csv, name="roadmap-csv"),
    path("roadmap/export.json", roadmap_files.as_json, name="roadmap-json"),
    path("roadmap/report/", roadmap_files.report, name="roadmap-report"),
    path("roadmap/experiments/<int:pk>/", experiment.show, name="experiment"),
    path(
        "roadmap/experiments/<int:pk>/cancel/", optimisation_acts.cancel, name="experiment-cancel"
    ),
    path("roadmap/<optimisation:key>/", optimisation.show, name="optimisation"),
    path(
        "roadmap/<optimisation:key>/measure/",
        optimisation_acts.measure,
        name="optimisation-measure",
    ),
    path("roadmap/<optimisation:key>/edit/", optimisation_acts.edit, name="optimisation-edit"),
    path("alerts/", alerts.show, name="alerts"),
    path("alerts/test/", alert_acts.send_test, name="alerts-test"),
    path("alerts/silences/add/", alert_acts.silence, name="silence-add"),
    path("alerts/silences/<int:pk>/end/", alert_acts.end_silence, name="silence-end"),
    path("alerts/runbooks/<slug:name>/", runbooks.show, name="runbook"),
    path("alerts/<int:pk>/", alert.show, name="alert"),
    path("alerts/<int:pk>/acknowledge/", alert_acts.acknowledge, name="alert-acknowledge"),
    path("audit/", audit.show, name="audit"),
    path("audit/<int:pk>/revert/", reverts.show, name="audit-revert"),
    path("workers/", workers.show, name="workers"),
    path("settings/theme/", preferences.theme, name="theme"),
    path("settings/tokens/", tokens.show, name="tokens"),
    path("settings/tokens/<int:pk>/revoke/", tokens.revoke, name="token-revoke"),
]
