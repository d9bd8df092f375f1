"""Whose word a verified bundle rests on: its own, or that of who verifies it."""

from collections.abc import Iterator
from dataclasses import dataclass

from validation.checkpoint import Checkpoint
from validation.evidence.bundle import Bundle
from validation.validators import CHECKS, Status

_ANCHORED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What is trusted here, whatever a bundle says; None where nothing is."""

    checkpoint: Checkpoint | None = None
    chain_id: int | None = None


def differences(bundle: Bundle, ours: Ours) -> Iterator[str]:
    """Where the bundle takes for granted what is not trusted here, in sentences for a person.

    The checkpoint counts where the verdict rests on it.
    """
    chain_id = bundle.context.chain_id
    if ours.chain_id is not None and chain_id not in {None, ours.chain_id}:
        yield f"The chain trusted here is {ours.chain_id}, the bundle takes {chain_id} for granted."
    theirs = checkpoint_of(bundle)
    if ours.checkpoint is not None and rests_on_checkpoint(bundle) and theirs != ours.checkpoint:
        told = "none" if theirs is None else shown(theirs)
        yield (
            f"The checkpoint trusted here is {shown(ours.checkpoint)}, the bundle takes {told} for "
            "granted."
        )


def is_trusted(bundle: Bundle, ours: Ours) -> bool:
    """Whether nothing that the verdict rests on is the bundle's own word."""
    rests = rests_on_checkpoint(bundle)
    is_checkpoint_ours = not rests or checkpoint_of(bundle) == ours.checkpoint
    return is_checkpoint_ours and bundle.context.chain_id in {None, ours.chain_id}


def rests_on_checkpoint(bundle: Bundle) -> bool:
    """Whether a check that needs the checkpoint was made."""
    return checkpoint_of(bundle) is not None and any(
        check.status != Status.SKIP
        and check.name in CHECKS
        and CHECKS[check.name].level >= _ANCHORED
        for check in bundle.outcome.checks
    )


def checkpoint_of(bundle: Bundle) -> Checkpoint | None:
    told = bundle.context.checkpoint
    return None if told is None else Checkpoint(told.number, told.hash)


def shown(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.number}:{checkpoint.hash}"
