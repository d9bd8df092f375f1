"""Registers the console itself: what it serves, its checks and commands."""

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
    verbose_name = "Switchyard"

    def ready(self) -> None:
        # Registering happens on import: system checks, and the topics of the live pages.
        for package, module in (("console", "checks"), ("console.pages", "topics")):
            if find_spec(package) and find_spec(f"{package}.{module}"):
                import_module(f"{package}.{module}")
