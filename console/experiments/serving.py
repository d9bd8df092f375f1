"""The process of a private node: `python -m console.experiments.serving`, without Django.

Writes its address in a line once it accepts, and ends when its standard input does: whoever started
it may be killed, and no node is left.
"""

import os
import signal
import sys
import threading

from validation.devnode import serve
from validation.devnode.app import create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls


def main() -> None:
    with serve.listening("127.0.0.1", 0) as bound:

        def ready() -> None:
            sys.stdout.write(serve.address_of(bound) + "\n")
            sys.stdout.flush()

        node = serve.server(create_app(Chain.load(None), Controls()), ready)
        threading.Thread(target=_follow, daemon=True).start()
        node.run(sockets=[bound])


def _follow() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
