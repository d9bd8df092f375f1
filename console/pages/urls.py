"""The addresses of the pages."""

from django.urls import path

from console.pages import acts, items, new_run, overview, preferences, run, runs, tokens, workers

urlpatterns = [
    path("", overview.show, name="overview"),
    path("validations/", runs.show, name="runs"),
    path("validations/new/", new_run.show, name="run-new"),
    path("validations/new/preview/", new_run.preview, name="run-preview"),
    path("validations/<int:pk>/", run.show, name="run"),
    path("validations/<int:pk>/items/<int:ordinal>/", items.show, name="run-item"),
    path("validations/<int:pk>/start/", acts.start, name="run-start"),
    path("validations/<int:pk>/discard/", acts.discard, name="run-discard"),
    path("validations/<int:pk>/cancel/", acts.cancel, name="run-cancel"),
    path("validations/<int:pk>/retry/", acts.retry, name="run-retry"),
    path("workers/", workers.show, name="workers"),
    path("settings/theme/", preferences.theme, name="theme"),
    path("settings/tokens/", tokens.show, name="tokens"),
    path("settings/tokens/<int:pk>/revoke/", tokens.revoke, name="token-revoke"),
]
