"""Registers the rehearsals app, and what its drills say of optimisations."""

from django.apps import AppConfig


class RehearsalsConfig(AppConfig):
    name = "console.rehearsals"
    label = "rehearsals"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Rehearsals"

    def ready(self) -> None:
        from console.experiments import turns  # noqa: PLC0415 - it imports models
        from console.rehearsals import findings  # noqa: PLC0415 - as above
        from console.rehearsals.models import Rehearsal  # noqa: PLC0415 - as above
        from console.roadmap import status  # noqa: PLC0415 - as above

        turns.register(Rehearsal)
        status.register(findings.KIND, findings.told)
