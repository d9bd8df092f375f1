"""`make bench`: runs every `bench_*.py` beside this file, each in a process of its own."""

import subprocess
import sys
from pathlib import Path


def main(chosen: list[str]) -> int:
    """Runs the benches named (`rpc`, `fleet`, …), or all; 1 where one failed."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    wanted = [name for name in found if not chosen or name.removeprefix("bench_") in chosen]
    if unknown := set(chosen) - {name.removeprefix("bench_") for name in found}:
        print(f"no bench named {', '.join(sorted(unknown))}; there are: {', '.join(found)}")
        return 2
    failed = 0
    for name in wanted:
        print(f"\n== {name.removeprefix('bench_')}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False)
        failed += done.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
