"""An experiment is made, is cancelled, or is found without a runner: all but running it.

Light, so that pages and workers can; `measuring` brings engines and what computes effects.
"""

import secrets
from datetime import datetime
from typing import Final

import msgspec
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from console.access import audit
from console.access.audit import Actor
from console.experiments.claims import Claim
from console.experiments.models import KIND, Experiment, State
from monitoring import events

# What pages that show experiments follow.
TOPIC: Final = "experiments"
# Longer than a block may take, however slow its node.
LEASE_S: Final = 90.0


def make(
    claim: Claim, actor: Actor, *, pairs: int | None = None, seed: int | None = None,
    reason: str = "What it brings here is to be known.",
) -> Experiment:  # fmt: skip
    pairs = pairs or claim.plan.pairs
    with transaction.atomic():
        made = Experiment.objects.create(
            claim=claim.key,
            claimed=msgspec.to_builtins(claim),
            optimisations=list(claim.optimisations),
            flag=claim.flag,
            baseline=claim.baseline,
            treatment=claim.treatment,
            pairs=pairs,
            seed=secrets.randbits(31) if seed is None else seed,
            actor=actor.name,
            blocks_wanted=4 * pairs,
        )
        after = {"experiment": made.pk, "pairs": pairs, "seed": made.seed}
        audit.record(
            actor, "measure", kind=KIND, target=claim.key, before={}, after=after, reason=reason
        )
        transaction.on_commit(lambda: events.publish(TOPIC))
    return made


def cancel(pk: int, actor: Actor, *, reason: str = "Not wanted any more.") -> bool:
    """Whether there was something to cancel; what runs ends after its block."""
    with transaction.atomic():
        wanted = Experiment.objects.filter(pk=pk, state__in=(State.QUEUED, State.RUNNING))
        row = wanted.select_for_update().first()
        if row is None:
            return False
        row.cancel_asked = True
        if row.state == State.QUEUED:
            row.state, row.ended_at = State.CANCELLED, timezone.now()
        row.save(update_fields=["cancel_asked", "state", "ended_at"])
        after = {"experiment": pk}
        audit.record(
            actor, "cancel", kind=KIND, target=row.claim, before={}, after=after, reason=reason
        )
        transaction.on_commit(lambda: events.publish(TOPIC))
    return True


def expire(now: datetime | None = None) -> int:
    """Says of those whose runner is gone that they were interrupted; how many. By the database's
    clock, whatever this host's says.
    """
    gone = Experiment.objects.filter(state=State.RUNNING, lease_until__lt=now or Now())
    number = gone.update(
        state=State.INTERRUPTED,
        ended_at=now or Now(),
        why="Whoever ran it is gone: it gave no sign of life in time.",
    )
    if number:
        events.publish(TOPIC)
    return number
