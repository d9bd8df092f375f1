"""`manage.py devnode`: runs the JSON-RPC node of the packaged chain, with faults and lies."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from validation.devnode import serve
from validation.devnode.app import create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings
from validation.devnode.errors import BadSetting, DevnodeError
from validation.devnode.lies import LIES

HIGHEST_PORT = 65_535


class Command(BaseCommand):
    help = "A JSON-RPC node with real chain data and injectable faults and lies."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8545, help="0 takes a free one")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--latency-ms", type=float, default=0.0, help="before each reply")
        parser.add_argument("--jitter-ms", type=float, default=0.0, help="up to so much more")
        parser.add_argument(
            "--error-rate", type=float, default=0.0, help="share of calls that fail"
        )
        parser.add_argument(
            "--timeout-rate", type=float, default=0.0, help="share of requests never answered"
        )
        parser.add_argument(
            "--rate-limit", type=float, default=0.0, help="requests a second, then 429; 0: no limit"
        )
        parser.add_argument("--lie", metavar="NAME", help="what to say instead of the truth")
        parser.add_argument("--list-lies", action="store_true", help="names the lies and ends")
        parser.add_argument("--chain", type=Path, metavar="F", help="another packaged chain")

    def handle(self, **options: Any) -> None:
        if options["list_lies"]:
            self._list_lies()
            return
        try:
            self._serve(options)
        except BadSetting as exc:
            option = "--" + exc.name.replace("_", "-")
            raise CommandError(
                f"{option} must be {exc.wanted}, not {exc.shown}.", returncode=2
            ) from exc
        except DevnodeError as exc:
            raise CommandError(str(exc), returncode=2) from exc

    def _list_lies(self) -> None:
        wide = max(map(len, LIES))
        for lie in LIES.values():
            at = "-" if lie.level is None else lie.level
            self.stdout.write(
                f"{lie.name:{wide}}  level {at}  {lie.says}; caught by {lie.caught_by}"
            )

    def _serve(self, options: dict[str, Any]) -> None:
        settings = Settings().changed({name: options[name] for name in Settings.__struct_fields__})
        port = options["port"]
        if not 0 <= port <= HIGHEST_PORT:
            raise BadSetting("port", port, f"from 0 to {HIGHEST_PORT}")
        chain = Chain.load(options["chain"])
        bound = serve.listening(options["host"], port)
        line = (
            f"devnode at {serve.address_of(bound)}: chain {chain.chain_id},"
            f" {len(chain.blocks)} blocks, {len(chain.transactions)} transactions"
        )

        def ready() -> None:
            self.stdout.write(line + (f"; it lies: {settings.lie}" if settings.lie else ""))
            self.stdout.flush()

        node = serve.server(create_app(chain, Controls(settings=settings)), ready)
        with bound:
            try:
                node.run(sockets=[bound])
            except KeyboardInterrupt:
                # uvicorn raises the signal again once it has ended; ending was what was asked.
                sys.exit(130)
