"""Registers the rollouts app."""

from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    name = "console.rollouts"
    label = "rollouts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Rollouts"
