"""Registers the roadmap app, and brings the release's roadmap after each migration."""

from typing import Any, Final

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

# A migration may stop before one of them is there.
_NEEDED: Final = frozenset(
    f"roadmap_{name}" for name in ("programme", "phase", "optimisation", "entry", "edit")
)


class RoadmapConfig(AppConfig):
    name = "console.roadmap"
    label = "roadmap"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Roadmap"

    def ready(self) -> None:
        from console.controls import reverting as of_controls  # noqa: PLC0415 - it imports models
        from console.roadmap import reverting, status  # noqa: PLC0415 - as above
        from console.roadmap.gates import standing  # noqa: PLC0415 - as above

        status.register(standing.KIND, standing.findings)
        of_controls.register(reverting.KIND, reverting)
        post_migrate.connect(_load, sender=self, dispatch_uid="load-roadmap")


def _load(*, using: str, **_: Any) -> None:
    from console.roadmap import loading  # noqa: PLC0415 - it imports models

    if using == "default" and set(connections[using].introspection.table_names()) >= _NEEDED:
        loading.load()
