"""Runs the stack until Ctrl-C: `python -m console.embedded.up`, or `manage.py up`.

It needs no Django itself: every process it starts loads that, and so do not wait for it twice.
"""

import asyncio
import os
import sys
from pathlib import Path

from console import env
from console.embedded.errors import EmbeddedError
from console.embedded.lock import hold
from console.embedded.places import places
from console.embedded.preflight import judge
from console.embedded.readiness import refuse_busy
from console.embedded.stack import Stack
from console.embedded.supervisor import Supervisor
from console.embedded.terminal import Terminal


def run() -> int:
    """The exit status: 0 after Ctrl-C or SIGTERM, 1 where something did not start, 2 refused."""
    var = env.var_dir()
    try:
        with hold(places(var).var):
            # Before anything is read: what a killed one left is nobody's setting.
            env.forget_stack(var)
            stack = _wanted(var)
            if status := judge(stack.root, stack.judged):
                return status
            refuse_busy(stack.host, stack.port)
            try:
                return asyncio.run(_supervise(stack))
            finally:
                env.forget_stack(var)
    except EmbeddedError as exc:
        print(f"switchyard: {exc}", file=sys.stderr)  # noqa: T201 - a command's last word
        return 2


def _wanted(var: Path) -> Stack:
    return Stack(
        root=env.ROOT,
        var=var,
        host=env.text("HOST", "127.0.0.1"),
        port=env.integer("PORT", 8000, low=1, high=65535),
        workers=env.integer("WORKERS", 2, low=1, high=512),
        given=dict(os.environ),
        replicas=env.integer("REPLICAS", 0, low=0, high=2),
        is_pooled=env.boolean("PGBOUNCER"),
    )


async def _supervise(stack: Stack) -> int:
    return await Supervisor(Terminal()).run(stack.begin)


if __name__ == "__main__":
    sys.exit(run())
