"""`python -m tests.start_run COUNT KIND [LEVEL]`: a run over the demo chain, printing its id."""

import sys
from itertools import cycle, islice

import django

django.setup()

from validation import services  # noqa: E402 - models need the line above
from validation.devnode.chain import Chain  # noqa: E402
from validation.subjects import Kind, Subject  # noqa: E402


def main(count: int, kind: Kind, level: int | None) -> None:
    chain = Chain.load()
    values = {
        Kind.TX: [str(value) for value in chain.transactions],
        Kind.BLOCK: [str(number) for number in range(len(chain.blocks))],
        Kind.ADDRESS: [str(value) for value in chain.addresses],
    }[kind]
    subjects = (Subject(kind=kind, value=value) for value in islice(cycle(values), count))
    print(services.start_run(subjects, level=level, origin="cli").pk)


if __name__ == "__main__":
    main(int(sys.argv[1]), Kind(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
