"""`manage.py alerts`: what fires, what is silenced; acknowledges, silences."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from console import alerts
from console.alerts import seen
from console.controls import ControlError
from console.management.acting import DONE, NOT_HEARD, REFUSED, ActingCommand, actor, reason_of
from console.spans import seconds_of

_ACTS = ("acknowledge", "silence", "maintenance", "end")
_SPAN = "1h"
# Nobody looks: what fires is not known.
_NO_DATA = 2


class Command(ActingCommand):
    help = (
        "Shows what fires, and ends with 1 where something does, with 2 where nobody has looked: "
        "alerts; alerts acknowledge 7; alerts silence replica.lag --for 1h; alerts end 3"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", nargs="?", choices=_ACTS, metavar="|".join(_ACTS))
        parser.add_argument("what", nargs="?", help="a number, a rule or a group", default="")
        parser.add_argument("--subject", default="", help="of what is silenced; * is any")
        parser.add_argument("--json", action="store_true", help="alerts and silences as JSON")
        super().add_arguments(parser)

    def run(self, **options: Any) -> int:
        match options["act"]:
            case None:
                return self._show(as_json=options["json"])
            case "acknowledge":
                return self._acknowledge(options)
            case "end":
                number = _number(options["what"])
                ended = alerts.end_silence(actor(), number, reason=reason_of(options))
                self.stdout.write(f"{ended.kind} {number} has ended")
                return DONE
            case kind:
                return self._silence(kind, options)

    def _show(self, *, as_json: bool) -> int:
        found = seen.alerts(("firing", "pending"), seen.MOST)
        quiet = seen.silences(timezone.now())
        looked = seen.looked()
        if as_json:
            told = {**looked, "alerts": found, "silences": quiet}
            self.stdout.write(json.dumps(told, default=lambda moment: moment.isoformat(), indent=2))
        else:
            self._tell(found, quiet, looked)
        if any(one["state"] == "firing" for one in found):
            return NOT_HEARD
        return _NO_DATA if looked["is_missed"] else DONE

    def _tell(
        self,
        found: list[dict[str, Any]],
        quiet: list[dict[str, Any]],
        looked: dict[str, Any],
    ) -> None:
        if looked["is_missed"]:
            at = looked["looked_at"]
            since = f"has looked since {at:%Y-%m-%d %H:%M:%S} UTC" if at else "has looked yet"
            text = f"No data: nobody {since}. What fires now is not known."
            self.stdout.write(f"{text} Is a web process or beat up that collects?")
        for one in found:
            about = f" {one['subject']}" if one["subject"] else ""
            head = f"{one['id']} {one['state']} {one['severity']} {one['rule']}{about}"
            self.stdout.write(f"{head} since {one['began_at']:%Y-%m-%d %H:%M:%S} UTC")
            self.stdout.write(f"  {one['title']}: {one['words']}")
            if one["muted"]:
                self.stdout.write(f"  nobody is told: {one['muted']}")
            if one["acknowledged_by"]:
                who, why = one["acknowledged_by"], one["acknowledged_reason"]
                self.stdout.write(f"  acknowledged by {who}: {why}")
            self.stdout.write(f"  see {one['page']}, docs/runbooks/{one['runbook']}.md")
        if not found and not looked["is_missed"]:
            self.stdout.write("Nothing fires.")
        for one in quiet:
            what = one["rule"] or one["group"] or "everything"
            line = f"{one['kind']} {one['id']}: {what} {one['subject']}".rstrip()
            ends = f"{one['begins_at']:%Y-%m-%d %H:%M} to {one['ends_at']:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"{line}, {ends}, {one['by']}: {one['reason']}")

    def _acknowledge(self, options: dict[str, Any]) -> int:
        alert = alerts.acknowledge(actor(), _number(options["what"]), reason=reason_of(options))
        self.stdout.write(f"acknowledged: {alert}")
        return DONE

    def _silence(self, kind: str, options: dict[str, Any]) -> int:
        if options["lasting"]:
            raise ControlError(f"A {kind} has an end: give --for, not --lasting.")
        what = options["what"]
        is_rule = "." in what
        made = alerts.silence(
            actor(),
            rule=what if is_rule else "",
            group="" if is_rule else what,
            subject=options["subject"],
            kind=kind,
            for_s=seconds_of(options["span"] or _SPAN),
            reason=reason_of(options),
        )
        self.stdout.write(f"{kind} {made.pk} until {made.ends_at:%Y-%m-%d %H:%M:%S} UTC")
        return DONE


def _number(text: str) -> int:
    if not text.isdecimal():
        raise CommandError(f"{text!r} is no number of an alert: see `alerts`.", returncode=REFUSED)
    return int(text)
