"""How often a plan finds what is there, with the noise that was met: what a verdict is worth."""

from dataclasses import dataclass
from typing import Final

from console.experiments.models import Experiment
from console.roadmap.effects import Effect, floor, power

SIZES: Final = (0.05, 0.10, 0.30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Powered:
    """Of an effect that is truly `true`, how often a plan like this one finds it."""

    true: float
    share: float

    @property
    def words(self) -> str:
        return f"finds {self.true:+.0%} with {self.share:.0%}"


def finds(experiment: Experiment) -> tuple[Powered, ...]:
    """Changes by 5, 10 and 30 % in the claimed direction, told from none. Nothing of differences:
    of no figure are they a share.
    """
    claim = experiment.claimed
    if claim["scale"] != "ratio" or not experiment.found:
        return ()
    towards = -1 if claim["direction"] == "less" else 1
    return tuple(_powered(experiment, towards * size, 0.0) for size in SIZES)


def proves(experiment: Experiment) -> Powered | None:
    """An effect as large as is claimed, shown to be worth having; None: no figure is claimed."""
    expected = experiment.claimed["expected"]
    if expected is None or not experiment.found:
        return None
    return _powered(experiment, expected, experiment.claimed["least"])


def _powered(experiment: Experiment, true: float, least: float) -> Powered:
    claim, found = experiment.claimed, experiment.found
    share = power(
        true,
        spread=found["effect"]["spread"],
        pairs=found["effect"]["pairs"],
        least=max(least, floor(Effect(**found["noise"]))),
        direction=claim["direction"],
        scale=claim["scale"],
    )
    return Powered(true=true, share=share)
