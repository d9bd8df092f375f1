"""Registers what every process of the console needs: its checks, and the broker its tasks ring."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
    verbose_name = "Switchyard"

    def ready(self) -> None:
        from console import celery, checks  # noqa: F401, PLC0415 - importing registers; needs settings
