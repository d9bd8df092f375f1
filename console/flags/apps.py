"""Registers the flags app, and brings the release's flags after each migration."""

from typing import Any, Final

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

# A migration may stop before one of them is there.
_NEEDED: Final = frozenset(
    {"flags_flag", "validation_control", "validation_controlrevision", "access_auditentry"}
)


class FlagsConfig(AppConfig):
    name = "console.flags"
    label = "flags"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Flags"

    def ready(self) -> None:
        from console.controls import reverting as of_controls  # noqa: PLC0415 - it imports models
        from console.flags import reverting  # noqa: PLC0415 - as above

        of_controls.register("flags", reverting)
        post_migrate.connect(_load, sender=self, dispatch_uid="load-flags")


def _load(*, using: str, **_: Any) -> None:
    from console.flags import loading  # noqa: PLC0415 - it imports models

    if using == "default" and set(connections[using].introspection.table_names()) >= _NEEDED:
        loading.load()
