"""What is done in a block, by the name that a claim gives it; and what a block may not be."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from console.experiments.answering import answering
from console.experiments.claims import Claim
from console.experiments.exporting import exporting
from console.experiments.in_parts import breakers, l1
from console.experiments.schedule import Arm
from console.experiments.starting import starting
from console.experiments.validating import validating

type Figures = Mapping[str, float]


class Bench(Protocol):
    """All that an experiment's blocks run on, warmed up."""

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Figures]:
        """One arm's turn, or both arms' at once; figures an arm. The same pair has the same work.
        Raises NoEvidence where what came back is not what a figure may rest on.
        """


type Workload = Callable[[Claim, int], AbstractContextManager[Bench]]
"""Of a claim and a seed."""

WORKLOADS: Final[Mapping[str, Workload]] = {
    "validate": validating,
    "start": starting,
    "breakers": breakers,
    "l1": l1,
    "answers": answering,
    "export": exporting,
}
