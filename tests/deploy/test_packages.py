"""What a deployment installs is enough to run it, without what only tests and lint bring."""

import os
import re
import subprocess
import sys
from importlib.metadata import distributions

from tests.services import CLUSTER, ROOT, process_environment

# Imports what web, worker and beat import, where the named modules cannot be found.
PROGRAM = """
import sys
from importlib.machinery import PathFinder

absent = set(sys.argv[1].split(","))

class Deployed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in absent else super().find_spec(name, path, target)

sys.meta_path[:] = [Deployed if finder is PathFinder else finder for finder in sys.meta_path]
sys.path.insert(0, sys.argv[2])
import console.asgi
import console.celery
import celery.apps.worker, celery.apps.beat, celery.concurrency.prefork
import kombu.transport.redis, kombu.transport.pyamqp
import uvicorn.main, uvloop, httptools, django.db.backends.postgresql.base
"""


def test_the_locked_packages_are_enough() -> None:
    text = (ROOT / "requirements" / "base.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    present: set[str] = set()
    absent: set[str] = set()
    for distribution in distributions():
        name = re.sub(r"[._]", "-", distribution.metadata["Name"].lower())
        files = distribution.files or ()
        modules = {file.parts[0].split(".")[0] for file in files}
        (present if name in locked else absent).update(modules)
    assert "pytest" in absent
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(absent - present), str(ROOT)],
        env=process_environment(CLUSTER) | {"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
