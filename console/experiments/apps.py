"""Registers the experiments app, and brings the release's evidence after each migration."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class ExperimentsConfig(AppConfig):
    name = "console.experiments"
    label = "experiments"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Experiments"

    def ready(self) -> None:
        from console.experiments import standing  # noqa: PLC0415 - it imports models
        from console.roadmap import status  # noqa: PLC0415 - as above

        status.register("evidence", standing.findings)
        post_migrate.connect(_load, sender=self, dispatch_uid="load-evidence")


def _load(*, using: str, **_: Any) -> None:
    from console.experiments import shipped  # noqa: PLC0415 - it imports models

    if using == "default" and _is_there(using):
        shipped.load()


def _is_there(using: str) -> bool:
    """A migration may stop before its table has the column."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('experiments_experiment')"
            " AND attname = 'shipped' AND NOT attisdropped"
        )
        return cursor.fetchone() is not None
