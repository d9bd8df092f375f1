"""`manage.py rollout`: starts a guarded rollout, shows what became of it, steers it."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any, Final

from console.controls import ControlError
from console.management.acting import DONE, ActingCommand, actor
from console.rollouts import acts, automation, beginning, seen, telling
from console.rollouts.models import Rollout, State
from console.rollouts.seen import RolloutSeen

# Of `show`: it was taken back, or ended before its end.
TAKEN_BACK: Final = 1
_REASON: Final = "Done at a terminal"
_ACTS: Final[Mapping[str, Callable[..., Rollout]]] = {
    "promote": acts.promote,
    "hold": acts.hold,
    "resume": acts.resume,
    "abort": acts.abort,
}


class Command(ActingCommand):
    help = (
        "Guarded rollouts: start FLAG TARGET, list, show ID, promote|hold|resume|abort ID, and "
        "resume all once an operator has looked. Exit 0 done; 1 (of show) taken back or aborted; "
        "2 refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("start", "list", "show", *_ACTS))
        parser.add_argument("of", nargs="?", metavar="FLAG|ID", help="of list: one flag's alone")
        parser.add_argument("target", nargs="?", metavar="TARGET", help="a variant, of start")
        parser.add_argument("--stages", metavar="5,25,100", help="percent; default 5,25,50,100")
        parser.add_argument("--bake", type=int, metavar="S", help="seconds a stage; default 600")
        parser.add_argument("--unit", help="item or process; default: as the flag is")
        parser.add_argument(
            "--guard",
            action="append",
            metavar="METRIC=MOST",
            help="such as mean_s=0.1 (10 %% slower) or error_share=0.01 (a point more)",
        )
        parser.add_argument("--gate", action="append", metavar="ID", help="to pass at each stage")
        parser.add_argument("--least", type=int, metavar="N", help="units an arm a window")
        parser.add_argument("--revision", type=int, metavar="R", help="the one you saw")
        parser.add_argument("--reason", help=f"10 to 500 characters; default: {_REASON!r}")
        parser.add_argument("--json", action="store_true", help="one object a rollout and line")

    def run(self, **options: Any) -> int:
        what, is_json = options["what"], options["json"]
        if what == "list":
            return self._list(options["of"], is_json=is_json)
        if what == "start":
            return self._show(_started(options).pk, is_json=is_json, full=False)
        if what == "resume" and options["of"] == "all":
            automation.go_on(actor(), reason=_reason(options))
            self.stdout.write("rollouts go on; those that were stopped are held until resumed")
            return DONE
        pk = _number(options["of"])
        if what == "show":
            return self._show(pk, is_json=is_json, full=True)
        _ACTS[what](actor(), pk, reason=_reason(options), revision=options["revision"])
        return self._show(pk, is_json=is_json, full=False)

    def _list(self, flag: str | None, *, is_json: bool) -> int:
        for one in seen.all_of_them(flag=flag):
            self.stdout.write(_json(one) if is_json else telling.line(one))
        if (how := seen.automation()).is_stopped:
            self.stderr.write(how.why)
        return DONE

    def _show(self, pk: int, *, is_json: bool, full: bool) -> int:
        found = seen.one(pk)
        if found is None:
            raise ControlError(f"There is no rollout {pk}: `manage.py rollout list` names them.")
        if is_json:
            self.stdout.write(_json(found))
        else:
            for line in telling.in_full(found) if full else [telling.line(found), found.why]:
                self.stdout.write(line)
        failed = found.state in {State.ROLLED_BACK, State.ABORTED}
        return TAKEN_BACK if full and failed else DONE


def _started(options: dict[str, Any]) -> Rollout:
    if not options["of"] or not options["target"]:
        raise ControlError("Name a flag and a variant: rollout start rpc.fetch_mode coalesced.")
    given: dict[str, Any] = {"gates": options["gate"] or ()}
    if options["stages"]:
        given["stages"] = [_whole(word, "--stages") for word in options["stages"].split(",")]
    if options["bake"] is not None:
        given["bake_s"] = options["bake"]
    if options["least"] is not None:
        given["least_units"] = options["least"]
    if options["guard"]:
        given["guards"] = [_guard(word) for word in options["guard"]]
    return beginning.start(
        actor(),
        options["of"],
        options["target"],
        unit=options["unit"],
        reason=_reason(options),
        based_on=options["revision"],
        **given,
    )


def _guard(word: str) -> dict[str, Any]:
    metric, _, most = word.partition("=")
    try:
        return {"metric": metric, "most": float(most)}
    except ValueError as exc:
        raise ControlError(f"--guard {word!r}: write metric=most, as mean_s=0.1.") from exc


def _number(word: str | None) -> int:
    if not word:
        raise ControlError("Name a rollout by its number: `manage.py rollout list` tells them.")
    return _whole(word, "the rollout")


def _whole(word: str, what: str) -> int:
    if not word.strip().isdecimal():
        raise ControlError(f"{what}: {word!r} is no whole number.")
    return int(word)


def _reason(options: dict[str, Any]) -> str:
    return _REASON if options["reason"] is None else str(options["reason"])


def _json(one: RolloutSeen) -> str:
    return json.dumps(telling.as_object(one), default=str, ensure_ascii=False)
