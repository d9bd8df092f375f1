"""`manage.py flag`: shows flags as every worker has them, or moves one."""

import json
from argparse import ArgumentParser
from dataclasses import asdict, replace
from typing import Any

from console.controls import ControlError
from console.flags import acts, reading
from console.flags.errors import Unrehearsed
from console.flags.models import Flag
from console.flags.reading import FlagView, OnWorker
from console.management.acting import DONE, NOT_HEARD, ActingCommand, actor
from console.management.ending import ending
from console.pages import figures
from console.rehearsals import rehearsing, telling
from console.rehearsals.models import VERDICTS, Rehearsal

_REASON = "Changed at a terminal"
_ALL = 100
_WITHOUT = "Nothing was changed; --unrehearsed goes without."


class Command(ActingCommand):
    help = "Shows or moves a flag: flag cache.codec zstd --stage 25 --reason 'It held at 5 %'"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", nargs="?", metavar="KEY", help="without one: lists them all")
        parser.add_argument(
            "variant",
            nargs="?",
            metavar="VARIANT",
            help="the target; without --stage on all units, the baseline instead of all others",
        )
        parser.add_argument("--stage", type=int, metavar="N", help="percent of the units, 0 to 100")
        parser.add_argument(
            "--rest", metavar="VARIANT", help="of the other units; default: as it is, or baseline"
        )
        parser.add_argument("--unit", help="item, process or time_slot; default: as it is")
        parser.add_argument(
            "--revision", type=int, metavar="R", help="the one you saw; refused where it is another"
        )
        parser.add_argument("--reason", help=f"10 to 500 characters; default: {_REASON!r}")
        parser.add_argument(
            "--unrehearsed",
            action="store_true",
            help="without the drill that comes before what no unit has yet",
        )
        parser.add_argument("--json", action="store_true", help="one object a flag and line")

    def run(self, **options: Any) -> int:
        is_json = options["json"]
        if options["key"] is None:
            if options["stage"] is not None:
                raise ControlError("--stage changes nothing alone: name a flag.")
            _refuse_lonely(options)
            return self._show(reading.flags(), is_json=is_json)
        key = options["key"]
        if options["variant"] is None and options["stage"] is None:
            _refuse_lonely(options)
            return self._show([reading.flag(key)], is_json=is_json, full=True)
        # What is waited for is said beside the object, not in it.
        out = self.stdout
        if is_json:
            self.stdout = self.stderr
        try:
            moved = self._move(key, options)
            if not is_json:
                self._tell_change(moved)
            status = self.heard(moved.revision)
        finally:
            self.stdout = out
        if is_json:
            self._write_json(reading.flag(key))
        return status

    def _move(self, key: str, options: dict[str, Any]) -> Flag:
        """After drills of its own: of the target and of the rest, where none of theirs passed."""
        for _ in range(2):
            try:
                return _moved(key, options)
            except Unrehearsed as exc:
                if not exc.variant:
                    raise ControlError(f"{exc} {_WITHOUT}") from exc
                # What is done to it during the drill is not overwritten.
                if options["revision"] is None:
                    options["revision"] = reading.flag(key).revision
                self.stdout.write(f"{key} at {exc.variant} is rehearsed first: some seconds")
                drill = _rehearse(key, exc.variant)
                self.stdout.write(f"{drill}: {drill.get_state_display()}. {drill.why}")
        return _moved(key, options)

    def _show(self, views: list[FlagView], *, is_json: bool, full: bool = False) -> int:
        for view in views:
            if is_json:
                self._write_json(view)
                continue
            self.stdout.write(f"{view.key}: {view.words} (baseline {view.baseline})")
            if full:
                for line in _in_full(view):
                    self.stdout.write(f"  {line}")
        if views and not views[0].reachable:
            self.stderr.write("No worker reports: the cache server does not answer.")
            return NOT_HEARD
        return DONE

    def _tell_change(self, flag: Flag) -> None:
        view = reading.flag(flag.key)
        self.stdout.write(f"{view.key}: {view.words}, {view.reach.text} (revision {view.revision})")
        if view.holds_back:
            self.stdout.write(f"holds back {', '.join(view.holds_back)}")

    def _write_json(self, view: FlagView) -> None:
        told = asdict(replace(view, history=()))
        del told["history"]
        told |= {"state": view.state, "by_variant": dict(view.by_variant)}
        self.stdout.write(json.dumps(told, default=str, ensure_ascii=False))


def _moved(key: str, options: dict[str, Any]) -> Flag:
    why = _REASON if options["reason"] is None else options["reason"]
    seen, variant, rest = options["revision"], options["variant"], options["rest"]
    stage = options["stage"]
    if stage is None and rest is None and variant == reading.flag(key).baseline:
        return acts.roll_back(actor(), key, reason=why, based_on=seen)
    return acts.set_stage(
        actor(),
        key,
        stage=_ALL if stage is None else stage,
        target=variant,
        rest=rest,
        unit=options["unit"],
        unrehearsed=options["unrehearsed"],
        reason=why,
        based_on=seen,
    )


def _rehearse(key: str, variant: str) -> Rehearsal:
    """In this process. One that failed is told of by whoever judges the stage."""
    try:
        with ending(rehearsing.Terminated):
            drill = rehearsing.run_now(key, variant, actor())
    except (rehearsing.Busy, rehearsing.Terminated) as exc:
        why = str(exc) or "this was told to end."
        raise ControlError(f"No drill of {key} could be run: {why} {_WITHOUT}") from exc
    if drill.failed_once:
        raise ControlError(
            f"{drill} of {key} came to no verdict: {drill.why} Nothing was changed; rehearse it "
            f"anew: {telling.repeat(drill)}."
        )
    if drill.state not in VERDICTS:
        raise ControlError(f"No drill of {key} could be run: {drill.why} {_WITHOUT}")
    return drill


def _refuse_lonely(options: dict[str, Any]) -> None:
    for name in ("rest", "unit", "reason", "revision", "unrehearsed"):
        if options[name] is not None and options[name] is not False:
            raise ControlError(f"--{name} changes nothing alone: give a variant or --stage.")


def _in_full(view: FlagView) -> list[str]:
    """What is known of one, a line each."""
    lines = [
        view.title,
        f"variants: {', '.join(view.variants)}",
        f"stage {view.stage} % of {view.unit}: {view.reach.text}",
    ]
    if view.why_not:
        lines.append(view.why_not)
    lines += [
        f"held: requires {need.flag} at {need.variant} everywhere, which is {need.now_is}"
        for need in view.requires
        if not need.met
    ]
    if view.next is not None:
        lines.append(f"next: {view.next.percent} %, {view.next.text}{_baking(view)}")
    if view.frost is not None:
        frost = view.frost
        lines.append(f"frozen until {_time(frost.until)} by {frost.actor}: {frost.reason}")
    lines += [
        f"planned: {step.stage} % at {_time(step.at)} by {step.actor}"
        for step in view.plan
        if step.state == "waiting"
    ]
    if view.actor:
        lines.append(f"revision {view.revision} of {view.actor}: {view.reason}")
    if view.heard is not None:
        lines.append(f"acknowledged by {view.acknowledged} of {view.heard}")
    return [*lines, *_rates(view), *(_on_worker(row) for row in view.workers)]


def _baking(view: FlagView) -> str:
    if not view.to_bake_s:
        return ""
    baked = figures.duration(min(view.baked_s, view.to_bake_s))
    return f"; baked {baked} of {figures.duration(view.to_bake_s)}"


def _rates(view: FlagView) -> list[str]:
    if view.per_minute is None or view.rate_age_s is None:
        return ["evaluations a minute: no data"]
    said = ", ".join(f"{name} {count:.0f}" for name, count in sorted(view.per_minute.items()))
    return [f"evaluations a minute: {said or 'none'}; {figures.ago(view.rate_age_s)}"]


def _on_worker(row: OnWorker) -> str:
    variant = "no data" if row.variant is None else row.variant or "split by item"
    force = f" (in force {row.in_force})" if row.in_force and row.in_force != row.value else ""
    obeys = "acknowledged" if row.acknowledged else "not acknowledged"
    silent = "" if row.is_current else f", {row.state}"
    return f"{row.worker}: {variant}{force}, {obeys}; heard {figures.ago(row.age_s)}{silent}"


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
