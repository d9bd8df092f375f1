"""A drill in words and as an object."""

from collections.abc import Mapping
from typing import Any

from console.rehearsals.models import VERDICTS, Rehearsal


def act_words(told: Mapping[str, Any]) -> str:
    """Of the trail: `drill 12 of zstd`."""
    return f"drill {told['drill']} of {told['target']}" if told else "none"


def as_object(row: Rehearsal) -> dict[str, Any]:
    return {
        "drill": row.pk,
        "flag": row.flag,
        "target": row.target,
        "baseline": row.baseline,
        "state": row.state,
        "passed": row.state == "passed" if row.state in VERDICTS else None,
        "why": row.why,
        "found": row.found,
        "began_at": row.began_at and row.began_at.isoformat(),
        "ended_at": row.ended_at and row.ended_at.isoformat(),
        "machine": row.machine,
        "code_revision": row.code_revision,
        "flag_revision": row.flag_revision,
        "actor": row.actor,
        "repeat": repeat(row),
    }


def repeat(row: Rehearsal) -> str:
    return f"manage.py rehearse {row.flag} --target {row.target}"


def as_words(row: Rehearsal) -> str:
    lines = [f"{row.flag}: {row.baseline} → {row.target} → {row.baseline}"]
    if found := row.found:
        lines.append(f"  load       {found['load']}")
        lines.append(f"  in force   {_after(found['in_force_s'])}: {found['target_told']}")
        lines.append(f"  restored   {_after(found['restored_s'])}: {found['baseline_told']}")
        lines += [f"  {name:<10} {_units(found[name])}" for name in ("before", "during", "after")]
        lines += _entries("written", found["back"], "by the target, read by the baseline")
        lines += _entries("found", found["ahead"], "by the baseline, read by the target")
    lines.append(f"  verdict    {_state(row)}. {row.why}".rstrip())
    if row.began_at is not None:
        when = f"{row.began_at:%Y-%m-%d %H:%M} UTC"
        lines.append(f"  made       {when}; code {row.code_revision}, flags {row.flag_revision}")
    lines.append(f"  repeat     {repeat(row)}")
    return "\n".join(lines)


def line(row: Rehearsal) -> str:
    """All of it in one."""
    change = f"{row.flag} {row.baseline} → {row.target}"
    when = f"{row.created_at:%Y-%m-%d %H:%M}"
    return f"{row.pk:>5}  {when}  {change:<52} {_state(row):<17} {row.why}".rstrip()


def _state(row: Rehearsal) -> str:
    return "no verdict" if row.failed_once else row.get_state_display()


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds * 1e3:.0f} ms"


def _units(told: Mapping[str, Any]) -> str:
    said = f"{told['right']} of {told['asked']} units with one right result"
    wrong = f", {told['wrong']} wrong, {told['lost']} lost, {told['doubled']} doubled"
    again = f"; {told['differing']} of {told['again']} asked again came back otherwise"
    is_right = told["right"] == told["asked"] and not told["doubled"]
    return said + ("" if is_right else wrong) + (again if told["again"] else "")


def _entries(name: str, told: Mapping[str, Any] | None, whose: str) -> list[str]:
    if told is None:
        return []
    counts = f"{told['written']} {whose}: {told['read']} read, {told['corrupt']} corrupt"
    asked = f"{told['differing']} of {told['units']} units differ, {told['hits']} were hits"
    return [f"  {name:<10} {counts}; {asked}"]
