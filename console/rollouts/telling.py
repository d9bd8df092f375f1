"""A rollout in words and as an object, for commands, the API and the trail."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from console.rollouts.models import State
from console.rollouts.seen import RolloutSeen, StepSeen


def act_words(told: Mapping[str, Any]) -> str:
    """Of the trail: `rollout 12 running at 5 %`, `rollouts stopped`."""
    if not told:
        return "none"
    if "automation" in told:
        return f"rollouts {told['automation']}"
    return f"rollout {told['rollout']} {State(told['state']).label} at {told['stage']} %"


def as_object(rollout: RolloutSeen) -> dict[str, Any]:
    return asdict(rollout) | {"acts": rollout.acts, "is_active": rollout.is_active}


def line(rollout: RolloutSeen) -> str:
    """All of it in one."""
    state = State(rollout.state).label
    way = f"{rollout.target} on {rollout.stage} %, {rollout.rest} else"
    return (
        f"{rollout.id:>5}  {rollout.created_at:%Y-%m-%d %H:%M}  {state:<11} {rollout.flag}: {way}"
    )


def in_full(rollout: RolloutSeen) -> list[str]:
    stages = ", ".join(f"{stage} %" for stage in rollout.stages)
    lines = [
        line(rollout).strip(),
        f"  by {stages}, each baking {rollout.bake_s} s",
        f"  started by {rollout.actor}: {rollout.reason}",
    ]
    if rollout.next_at is not None:
        lines.append(f"  next: {rollout.next_stage} %, at {rollout.next_at:%H:%M:%S} UTC or later")
    lines += [f"  {'held' if one.held else _held(one.held)}  {one.words}" for one in rollout.guards]
    lines.append(f"  {rollout.power}")
    if rollout.why:
        lines.append(f"  {rollout.why}")
    if rollout.cooling_until is not None:
        lines.append(f"  cools down until {rollout.cooling_until:%H:%M:%S} UTC")
    return [*lines, *(_step(step) for step in rollout.log)]


def _held(held: bool | None) -> str:
    return "not known" if held is None else "BROKEN"


def _step(step: StepSeen) -> str:
    who = f" ({step.actor})" if step.actor else ""
    return f"  {step.at:%H:%M:%S}  {step.decision} at {step.stage} %{who}: {step.words}"
