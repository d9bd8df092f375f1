"""The demo node of `make up`: `manage.py devnode` without Django, which it does not need.

On two cores, every process that loads Django holds up the others' start.
"""

import sys

from validation.devnode import serve
from validation.devnode.app import create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings
from validation.devnode.errors import DevnodeError


def run(host: str, port: int) -> None:
    """Serves the packaged chain truthfully until SIGTERM; DevnodeError says why it cannot."""
    chain = Chain.load(None)
    with serve.listening(host, port) as bound:
        line = (
            f"devnode at {serve.address_of(bound)}: chain {chain.chain_id},"
            f" {len(chain.blocks)} blocks, {len(chain.transactions)} transactions"
        )
        node = serve.server(
            create_app(chain, Controls(settings=Settings())),
            lambda: print(line, flush=True),  # noqa: T201 - a command's word
        )
        node.run(sockets=[bound])


if __name__ == "__main__":
    try:
        run(sys.argv[1], int(sys.argv[2]))
    except DevnodeError as exc:
        sys.exit(str(exc))
