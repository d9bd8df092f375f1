"""Registers the flags app."""

from django.apps import AppConfig


class FlagsConfig(AppConfig):
    name = "console.flags"
    label = "flags"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Flags"
