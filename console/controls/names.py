"""Which breakers there are, also while nobody reports: those of the configured nodes, and L2's."""

from django.conf import settings

from validation.rpc.classes import CLASSES, breaker_name

L2 = "l2"


def configured() -> set[str]:
    return {L2} | {breaker_name(node, kind) for node in settings.NODES for kind in CLASSES}
